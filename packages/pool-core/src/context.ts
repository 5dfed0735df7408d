/** The async context that a pool was made in. */
import { AsyncResource } from 'node:async_hooks'
import { realWorld, type World } from '@cenote/pool-worker'

/**
 * The real world, whose timers and later turns belong to the async context of now. One timer serves many callers, and starts itself anew: in
 * the context of whoever happened to start it, it would keep that alive, and call others in it.
 */
export function realWorldOfNow(): World {
  const { timer, immediate } = realWorld
  const maker = new AsyncResource('cenote.Pool')
  return {
    ...realWorld,
    timer: (ms, ref, action) => maker.runInAsyncScope(() => timer(ms, ref, action)),
    immediate: (action) => maker.runInAsyncScope(() => immediate(action)),
  }
}
