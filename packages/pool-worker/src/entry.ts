/** What piscina starts in a worker: sets the shard up and returns; the shard lives on in the thread's event loop. */
import type { MessagePort } from 'node:worker_threads'
import { PortBell } from './bell.ts'
import { exposeControl } from './control.ts'
import { encodeError } from './errors.ts'
import { portLane } from './lane.ts'
import type { LinkMemory, Settled, ShardSettings, StartedShard } from './messages.ts'
import { portParcels } from './parcels.ts'
import { startShard } from './shard.ts'
import { realWorld } from './world.ts'

/** What the start task is given. */
export interface StartTask {
  readonly settings: ShardSettings
  readonly memory: LinkMemory
  readonly bellPort: MessagePort
  readonly lanePort: MessagePort
  readonly controlPort: MessagePort
  readonly parcelPort: MessagePort
}

/** Starts a shard in this thread. Never rejects: an error crosses as data, for a clone would drop its code. */
export default async function start({
  settings,
  memory,
  bellPort,
  lanePort,
  controlPort,
  parcelPort,
}: StartTask): Promise<Settled<StartedShard>> {
  try {
    const shard = await startShard(settings, realWorld)
    const link = shard.addLink(memory, new PortBell(bellPort), portLane(lanePort), portParcels(parcelPort))
    bellPort.once('close', () => void link.close())
    exposeControl({ close: () => shard.close() }, controlPort)
    return { ok: true, value: { info: shard.info, delay: shard.delay } }
  } catch (thrown) {
    return { ok: false, error: encodeError(thrown) }
  }
}
