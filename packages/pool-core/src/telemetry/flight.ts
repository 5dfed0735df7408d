/** The flight recorders of a pool: its own two, and that of each shard, with the previous life of one that has died. */
import {
  CLOSE_REASONS,
  createRecorder,
  Noted,
  type Recorded,
  Recorder,
  type RecorderMemory,
  readRecorder,
  type World,
} from '@cenote/pool-worker'
import type { Slot } from '../books/slots.ts'
import { connectionId } from '../holders.ts'

/** What the pool notes of its callers, not of each that waits: a busy pool's would push everything else out. By the number that stands for each; the detail is 0 where none is named. */
export const CallerNoted = {
  /** Has to wait, and nobody did. Detail: milliseconds that it may. */
  queued: 0,
  /** The last who waited has a connection, or a place on one. Detail: milliseconds that it did. */
  granted: 1,
  /** `maxPending` wait already, or it holds what it would wait for. */
  refused: 2,
  /** Its time is up. Detail: milliseconds that it had. */
  expired: 3,
  /** Its signal was aborted. */
  aborted: 4,
  /** Goes on to another connection, for its own has died. Detail: how often it has by now. */
  moved: 5,
} as const

/** What the pool notes of itself. */
export const PoolNoted = {
  /** A shard serves. Detail: its number. */
  'shard-started': 0,
  /** A shard has died. Detail: its number. */
  'shard-lost': 1,
  /** A shard has been silent for `shardStallMs`. Detail: its number. */
  'shard-suspect': 2,
  /** It has given a sign of life. Detail: its number. */
  'shard-recovered': 3,
  /** A connection did not come. */
  'connect-failed': 4,
  /** After a failure no connection is opened for a while. Detail: milliseconds. */
  'gate-shut': 5,
  'gate-open': 6,
  /** Callers are refused at once from now on. Detail: connects in a row that failed. */
  'endpoint-down': 7,
  'endpoint-up': 8,
  /** A lease was taken back: it was collected, or held too long. */
  reclaimed: 9,
  paused: 10,
  resumed: 11,
  /** Detail: `maxConnections` from now on. */
  resized: 12,
  recycled: 13,
  /** `close()` was called. */
  closing: 14,
  /** Another list of endpoints. Detail: how many. */
  'endpoints-listed': 15,
  /** An endpoint is left out for a time. Detail: milliseconds. */
  'endpoint-ejected': 16,
  /** An endpoint that was left out takes work again. */
  'endpoint-returned': 17,
} as const

type Numbered = Readonly<Record<string, number>>

/** One event out of a flight recorder. */
export interface FlightEvent {
  /** Milliseconds since the epoch. */
  readonly at: number
  /** What happened: docs/observability.md tells of each. */
  readonly event: string
  /** The id of the connection, if it is of one. */
  readonly connection?: string
  /** A number or a word that goes with the event, if one does. */
  readonly detail?: number | string
}

/** What is recorded of one life of a shard. */
export interface ShardFlight {
  readonly shard: number
  /** A shard that has died is replaced; the last life before the present one is kept. */
  readonly life: 'present' | 'previous'
  readonly events: readonly FlightEvent[]
}

/** All recorders, oldest events first. */
export interface FlightRecord {
  readonly callers: readonly FlightEvent[]
  readonly pool: readonly FlightEvent[]
  readonly shards: readonly ShardFlight[]
}

/** A connection of any shard in one word: the shard's number above the 16 bits of the slot's index. */
const SHARD_BITS = 16

export class Flight {
  readonly #world: World
  readonly #memories: readonly [callers: RecorderMemory, pool: RecorderMemory] = [createRecorder(false), createRecorder(false)]
  readonly #callers: Recorder
  readonly #pool: Recorder
  readonly #present: (RecorderMemory | undefined)[] = []
  readonly #previous: (RecorderMemory | undefined)[] = []
  #queueing = false

  /** When the pool began, by the world's clock. */
  readonly since: number

  constructor(world: World) {
    this.#world = world
    this.since = world.now()
    this.#callers = new Recorder(this.#memories[0], performance.timeOrigin)
    this.#pool = new Recorder(this.#memories[1], performance.timeOrigin)
  }

  /** Notes that the queue is no longer empty. */
  queued(timeoutMs: number, now: number): void {
    this.#queueing = true
    this.caller('queued', undefined, timeoutMs, now)
  }

  /** Notes, once, that it is empty again. */
  served(slot: Slot, waitedMs: number, now: number): void {
    if (!this.#queueing) return
    this.#queueing = false
    this.caller('granted', slot, waitedMs, now)
  }

  /** Notes what has become of a caller. */
  caller(event: keyof typeof CallerNoted, slot: Slot | undefined, detail: number, now: number = this.#world.now()): void {
    this.#callers.note(now, CallerNoted[event], placeOf(slot), slot?.serial ?? 0, whole(detail))
  }

  /** Notes what has become of the pool. */
  pool(event: keyof typeof PoolNoted, detail = 0, slot?: Slot): void {
    this.#pool.note(this.#world.now(), PoolNoted[event], placeOf(slot), slot?.serial ?? 0, whole(detail))
  }

  /** A shard serves, and notes in this memory. */
  started(shard: number, memory: RecorderMemory): void {
    this.#present[shard] = memory
    this.pool('shard-started', shard)
  }

  /** A shard has died. What it noted stays until its successor dies too. */
  lost(shard: number): void {
    this.#previous[shard] = this.#present[shard]
    this.#present[shard] = undefined
    this.pool('shard-lost', shard)
  }

  read(): FlightRecord {
    const [callers, pool] = this.#memories
    return {
      callers: readRecorder(callers).map((recorded) => inWords(recorded, CallerNoted, placed)),
      pool: readRecorder(pool).map((recorded) => inWords(recorded, PoolNoted, placed)),
      shards: [...lives(this.#previous, 'previous'), ...lives(this.#present, 'present')].sort((one, other) => one.shard - other.shard),
    }
  }
}

function lives(memories: readonly (RecorderMemory | undefined)[], life: ShardFlight['life']): ShardFlight[] {
  return memories.flatMap((memory, shard) => {
    if (memory === undefined) return []
    const events = readRecorder(memory).map((recorded) =>
      inWords(recorded, Noted, ({ slot, serial }) => connectionId({ shard, index: slot }, serial)),
    )
    return [{ shard, life, events }]
  })
}

function inWords(recorded: Recorded, names: Numbered, connection: (recorded: Recorded) => string): FlightEvent {
  const { time, event, slot, detail } = recorded
  const name = Object.keys(names).find((key) => names[key] === event) ?? String(event)
  const what = names === Noted && (event === Noted.lost || event === Noted.close) ? (CLOSE_REASONS[detail] ?? detail) : detail
  return { at: time, event: name, ...(slot < 0 ? {} : { connection: connection(recorded) }), ...(what === 0 ? {} : { detail: what }) }
}

function placeOf(slot: Slot | undefined): number {
  return slot === undefined ? -1 : (slot.shard << SHARD_BITS) | slot.index
}

function placed({ slot, serial }: Recorded): string {
  return connectionId({ shard: slot >> SHARD_BITS, index: slot & ((1 << SHARD_BITS) - 1) }, serial)
}

/** What an Int32 holds: the longest time stands for any beyond, and for Infinity. */
function whole(value: number): number {
  return Math.min(Math.round(value), 2 ** 31 - 1)
}
