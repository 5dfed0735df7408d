/** The functions of a handlers module as types: what the pool offers of them, and whether they fit its protocol. */
import type { HandlerContext } from '@cenote/pool-worker'
import type { HandlerOptions } from './call-options.ts'

/** A module's handlers as the pool offers them: input in, output out. One that takes no input, or undefined, is called without. */
export type PoolHandlers<Module> = {
  readonly [Name in keyof Module as Module[Name] extends (...args: never[]) => unknown ? Name : never]: Module[Name] extends (
    input: infer Input,
    ...rest: never[]
  ) => infer Output
    ? (
        ...args: undefined extends Input ? [input?: Input, options?: HandlerOptions] : [input: Input, options?: HandlerOptions]
      ) => Promise<Awaited<Output>>
    : never
}

/** `unknown` when each handler of the module takes the context of the pool's protocol, whatever its options; else what is wrong. */
export type FittingHandlers<Module, Req, Rep, Client> = {
  [Name in keyof Module]: Module[Name] extends (...args: infer Args) => unknown
    ? Args extends [unknown, infer Context, ...unknown[]]
      ? HandlerContext<Req, Rep, Client, never> extends Context
        ? never
        : Name
      : never
    : never
}[keyof Module] extends never
  ? unknown
  : { readonly 'a handler of this module expects another protocol': never }
