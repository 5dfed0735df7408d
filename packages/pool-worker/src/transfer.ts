/** Marks what of a handler's result is moved to the caller's thread instead of copied. */
import type { MessagePort } from 'node:worker_threads'

const KEY = Symbol.for('cenote.transfers')

/** Shared by all copies of this package in one thread. */
function lists(): WeakMap<object, readonly Transferable[]> {
  const scope = globalThis as { [KEY]?: WeakMap<object, readonly Transferable[]> } // our own property
  scope[KEY] ??= new WeakMap()
  return scope[KEY]
}

/** What a thread can give away. */
export type Transferable = ArrayBuffer | MessagePort

/**
 * Returns `value`, marked so that `list` is moved when it is a handler's result. The handler must not use them afterwards.
 *
 * @example
 * import { transfer } from '@cenote/pool-core/shard'
 *
 * export function measure(): Float64Array {
 *   const totals = new Float64Array(1_000_000)
 *   return transfer(totals, [totals.buffer])
 * }
 */
export function transfer<T extends object>(value: T, list: readonly Transferable[]): T {
  lists().set(value, list)
  return value
}

/** What `transfer` said of a value. */
export function transferOf(value: unknown): readonly Transferable[] {
  return typeof value === 'object' && value !== null ? (lists().get(value) ?? []) : []
}
