/** The built-in protocols: both threads look them up here by name. */
import type { ProtocolDefinition } from '../define.ts'
import { fixedProtocol } from './fixed.ts'
import { lengthPrefixedProtocol } from './length-prefixed.ts'
import { lineProtocol } from './line.ts'
import { rawProtocol } from './raw.ts'
import { respProtocol } from './resp.ts'

export { type FixedOptions, fixed, fixedCodec } from './fixed.ts'
export { type LengthPrefixedOptions, lengthPrefixed, lengthPrefixedCodec } from './length-prefixed.ts'
export { type LineOptions, line, lineCodec } from './line.ts'
export { raw } from './raw.ts'
export { type RespMap, type RespOptions, type RespReply, type RespRequest, resp, respCodec } from './resp.ts'

/** Definitions by the name that a reference holds. */
export const builtins: ReadonlyMap<string, ProtocolDefinition<unknown, unknown>> = new Map(
  // A reference is made by the factory of the same name alone, which has checked the options that the definition takes.
  [rawProtocol, lineProtocol, lengthPrefixedProtocol, fixedProtocol, respProtocol].map((it) => [
    it.name,
    it as ProtocolDefinition<unknown, unknown>,
  ]),
)
