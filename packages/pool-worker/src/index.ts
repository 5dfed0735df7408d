/** The worker side of Cenote, and the language both sides speak. */
export * from './bell.ts'
export * from './codec.ts'
export { Control, exposeControl } from './control.ts'
export * from './deadlines.ts'
export * from './define.ts'
export * from './endpoint.ts'
export type { StartTask } from './entry.ts'
export * from './errors.ts'
export * from './frame.ts'
export {
  describe,
  type Handler,
  type LoadedClient,
  type LoadedCodec,
  type LoadedModules,
  type LoadedProtocol,
  loadHandlers,
  loadModules,
  loadProtocol,
} from './load.ts'
export * from './messages.ts'
export * from './protocols/index.ts'
export * from './ring.ts'
export * from './sender.ts'
export { Shard, startShard } from './shard.ts'
export { ShardLink } from './slot-link.ts'
export * from './transfer.ts'
export * from './world.ts'
