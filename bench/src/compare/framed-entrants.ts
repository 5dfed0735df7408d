/** Who takes part where all speak length-prefixed frames: Cenote with a shard and without, bare sockets, generic-pool. */
import { startContender } from './contender.ts'
import type { FramedSetup } from './contenders/framed-work.ts'
import type { Context, Entrant } from './scenario.ts'

/** Starts them, Cenote first. `bare` is what the bare sockets are called. */
export async function framedEntrants(context: Context, setup: FramedSetup, bare: string): Promise<readonly Entrant[]> {
  return [
    await startContender(context, { id: 'cenote', name: 'Cenote, 1 shard' }, 'framed-cenote', { ...setup, shards: 1 }),
    await startContender(context, { id: 'cenote-0', name: 'Cenote, shards: 0' }, 'framed-cenote', { ...setup, shards: 0 }),
    await startContender(context, { id: 'bare', name: bare }, 'framed-bare', setup),
    await startContender(context, { id: 'generic-pool', name: 'generic-pool' }, 'framed-generic-pool', setup),
  ]
}
