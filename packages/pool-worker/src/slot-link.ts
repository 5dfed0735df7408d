/** The shard's end of one link: reads the frames of one caller's thread, and sends it what its connections say. */
import { Beat, beatMs, Silence } from './beats.ts'
import type { ShardBell } from './bell.ts'
import { Pause } from './connection.ts'
import { encodeError, PoolError } from './errors.ts'
import { Flag, Kind } from './frame.ts'
import type { Lane } from './lane.ts'
import type { LinkMemory, OpenRequest } from './messages.ts'
import { Noted } from './noted.ts'
import type { InputParcel, Parcels, ResultParcel } from './parcels.ts'
import { unpackPlain } from './plain.ts'
import { Recorder } from './recorder.ts'
import { RingConsumer, RingProducer } from './ring.ts'
import { Runs } from './runs.ts'
import { FrameSender } from './sender.ts'
import type { Shard } from './shard.ts'
import { type Outlet, Slot } from './slot.ts'
import type { Turning } from './turns.ts'

/** What is noted of the frames that a shard sends. LOST is noted by its slot, which knows why. */
const NOTED_OF: ReadonlyMap<number, Noted> = new Map<number, Noted>([
  [Kind.OPENED, Noted.opened],
  [Kind.IDLE, Noted.idle],
  [Kind.DONE, Noted.done],
  [Kind.CLOSED, Noted.closed],
])

/** A full ring is noted once in so many ms: large replies fill it again and again. */
const FULL_NOTED_MS = 1_000

/** Replies of one turn that are shown to the caller's side while the others are still read: so both sides work at once. */
const SHOWN_AT_ONCE = 8

/** Frames read in one go: twice at the end of each turn. */
const BUDGET = 1_024

export class ShardLink implements Outlet, Turning {
  readonly runs: Runs
  readonly #shard: Shard
  readonly #bell: ShardBell
  readonly #lane: Lane
  readonly #consumer: RingConsumer
  readonly #sender: FrameSender
  readonly #words: Int32Array
  readonly #beats: Int32Array
  readonly #caller: Silence
  readonly #recorder: Recorder
  readonly #slots: (Slot | undefined)[] = []
  readonly #held = new Set<Slot>()
  /** Parts of an OPEN that is longer than a frame of a small ring. */
  readonly #partial = new Map<number, Buffer[]>()
  #fullNotedAt: number = Number.NEGATIVE_INFINITY
  #depth = 0
  /** Something was sent besides handlers' results. */
  #urgent = false
  /** Replies since the last time that they were shown before the end of their batch. */
  #replies = 0
  /** This turn has brought something. */
  #active = false
  /** Whoever publishes rings the bell. */
  #asleep = true

  constructor(shard: Shard, memory: LinkMemory, bell: ShardBell, lane: Lane, parcels: Parcels<ResultParcel, InputParcel>) {
    this.#shard = shard
    this.#bell = bell
    this.#lane = lane
    this.#consumer = new RingConsumer(memory.toShard, () => bell.ring())
    const producer = new RingProducer(memory.toMain, this.#ring)
    this.#sender = new FrameSender(producer, lane)
    this.#words = new Int32Array(memory.words)
    this.#beats = new Int32Array(memory.beats)
    const { maxMainStallMs, shardStallMs } = shard.settings
    this.#caller = new Silence(this.#callerBeat, shard.world.now(), beatMs(maxMainStallMs, shardStallMs))
    this.#recorder = new Recorder(memory.recorder, performance.timeOrigin)
    this.note(undefined, Noted.started, 0)
    const around = (action: () => void): void => {
      this.enter()
      action()
      this.leave()
    }
    this.runs = new Runs(shard.modules, around, this.#tell, parcels, shard.plumbing.writes, producer.maxPayload)
    bell.listen(shard.turns.arm)
  }

  /** How many connections it has, those being opened and closed included. */
  get connections(): number {
    let count = 0
    for (const slot of this.#slots) if (slot !== undefined) count++
    return count
  }

  get full(): boolean {
    return this.#sender.spilling
  }

  get #callerBeat(): number {
    return Atomics.load(this.#beats, Beat.CALLER)
  }

  /** Gives a sign of life, and looks for one of the caller's thread. */
  beat(): void {
    Atomics.add(this.#beats, Beat.SHARD, 1)
    this.#caller.look(this.#callerBeat, this.#shard.world.now())
  }

  get deserted(): boolean {
    return this.#caller.ms >= this.#shard.settings.maxMainStallMs
  }

  read(): void {
    this.enter()
    try {
      if (this.#consumer.drain(this.#onFrame, BUDGET)) this.#active = true
    } finally {
      this.#shard.plumbing.writes.flushDue()
      if (this.#sender.flush()) this.#resumeHeld()
      this.leave()
    }
  }

  /** It does after a turn that has brought nothing. */
  rest(): boolean {
    this.#asleep = !this.#active && this.#consumer.sleep()
    this.#active = false
    return this.#asleep
  }

  show(): void {
    const { pace, live } = this.runs
    if (this.#urgent || live === 0 || !pace.mayHoldOn(live, this.#shard.world.now())) {
      this.#tell()
      this.#bell.endTurn()
    } else this.#shard.turns.arm()
  }

  #resumeHeld(): void {
    if (this.#held.size === 0) return
    const held = [...this.#held]
    this.#held.clear()
    for (const slot of held) slot.connection.resume(Pause.RING)
  }

  readonly #onFrame = (kind: number, flags: number, index: number, serial: number, id: number, start: number, end: number): void => {
    this.#active = true
    if (kind === Kind.OPEN) return this.#open(flags, index, serial, id, start, end)
    const slot = this.#slots[index]
    if (slot === undefined || slot.serial !== serial) {
      if (kind === Kind.EXECUTE) this.runs.refused(id, orderIn(flags, this.#consumer.bytes, start, end))
      return // late: of a connection that is gone
    }
    const { bytes } = this.#consumer
    if (slot.deferred === undefined || kind === Kind.CLOSE) return this.#deliver(slot, kind, flags, id, bytes, start, end)
    slot.deferred.push({ kind, flags, id, payload: Buffer.from(bytes.subarray(start, end)) })
  }

  #deliver(slot: Slot, kind: number, flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    switch (kind) {
      case Kind.SEND:
        return slot.request(id, flags, bytes, start, end)
      case Kind.CANCEL:
        this.note(slot, Noted.cancel, id)
        return slot.cancel(id, (flags & Flag.EXCLUSIVE) !== 0)
      case Kind.RELEASE:
        return this.#release(slot, (flags & Flag.RESET) !== 0)
      case Kind.EXECUTE:
        this.note(slot, Noted.execute, id)
        return this.runs.framed(id, slot, orderIn(flags, bytes, start, end))
      case Kind.DATA:
        return slot.data(flags, bytes, start, end)
      case Kind.CREDIT:
        return this.#credit(slot, id, (flags & Flag.START) !== 0)
      case Kind.PROBE:
        this.note(slot, Noted.probe, 0)
        return slot.probe()
      case Kind.CLOSE:
        this.note(slot, Noted.close, id)
        return slot.close()
      default:
        throw new TypeError(`unknown frame kind ${kind}`)
    }
  }

  #release(slot: Slot, prove: boolean): void {
    if (prove) this.note(slot, Noted.prove, 0)
    slot.release(prove)
  }

  #credit(slot: Slot, bytes: number, start: boolean): void {
    if (start) this.note(slot, Noted.stream, bytes)
    slot.credit(bytes, start)
  }

  #open(flags: number, index: number, serial: number, ms: number, start: number, end: number): void {
    const payload = Buffer.from(this.#consumer.bytes.subarray(start, end))
    const parts = this.#partial.get(index) ?? []
    parts.push(payload)
    if ((flags & Flag.MORE) !== 0) {
      this.#partial.set(index, parts)
      return
    }
    this.#partial.delete(index)
    const slot = new Slot(this.#shard, this, index, serial)
    if (this.#slots[index] !== undefined) {
      const error = new PoolError('CONNECT_FAILED', 'the slot holds a connection', { phase: 'connect', outcome: 'not-sent' })
      return this.send(slot, Kind.LOST, 0, 0, Buffer.from(JSON.stringify({ reason: 'error', error: encodeError(error) })))
    }
    this.#slots[index] = slot
    this.note(slot, Noted.open, ms)
    slot.open(JSON.parse(Buffer.concat(parts).toString()) as OpenRequest, ms) // written by our own other side
  }

  send(slot: Slot, kind: number, flags: number, id: number, payload?: Uint8Array, start?: number, end?: number): void {
    if (kind !== Kind.REPLY) this.#noteSent(kind, slot, id)
    this.#sender.send(kind, flags, slot.index, slot.serial, id, payload, start, end)
    if (kind === Kind.DONE) return this.#ended()
    if (kind === Kind.PROGRESS) return this.#tell() // its handler may hold the thread from now on
    this.#urgent = true
    if (this.#depth === 0) return this.#sender.ring.publish()
    if (kind !== Kind.REPLY) return
    this.#stayAwake()
    if (++this.#replies < SHOWN_AT_ONCE) return
    this.#replies = 0
    this.#tell()
  }

  /** A handler may have the thread before the caller's side is told. One that waits for the end of this turn begins after that. */
  get #mayBeHeldUp(): boolean {
    return (this.#shard.turns.ending ? this.runs.live : this.runs.admitted) > 0
  }

  /** DONE was sent: the caller's side is told now, at the end of the turn, or with the results of other handlers. */
  #ended(): void {
    const { pace, live } = this.runs
    const now = this.#shard.world.now()
    this.#stayAwake()
    pace.hold(now)
    if (this.#mayBeHeldUp && !pace.mayHold(live, now)) this.#tell()
  }

  readonly #tell = (): void => {
    this.#urgent = false
    this.#sender.ring.publish()
    this.runs.pace.told()
    this.#bell.hurry()
  }

  /**
   * The caller's side is woken for all that a turn brings; at once where a handler may have the thread before the turn is over, and hold it
   * for long.
   */
  readonly #ring = (): void => {
    const { pace } = this.runs
    if (this.#mayBeHeldUp) {
      if (!pace.even) return this.#bell.ring()
      pace.wait(this.#shard.world.now())
    }
    this.#bell.ringSoon()
    this.#shard.turns.arm()
  }

  /** Who is answered asks again: that is read at the end of this turn, without a bell. */
  #stayAwake(): void {
    this.#active = true
    if (!this.#asleep) return
    this.#asleep = false
    this.#consumer.stayAwake()
    this.#shard.turns.arm()
  }

  give(slot: Slot, kind: number, id: number, payload: Buffer): void {
    this.#sender.give(kind, 0, slot.index, slot.serial, id, payload)
    this.#stayAwake()
    this.#tell() // the next long read is a long time for the caller's side
  }

  #noteSent(kind: number, slot: Slot, id: number): void {
    const event = NOTED_OF.get(kind)
    if (event !== undefined) this.note(slot, event, id)
  }

  note(slot: Slot | undefined, event: Noted, detail: number): void {
    this.#recorder.note(this.#shard.world.now(), event, slot?.index ?? -1, slot?.serial ?? 0, detail)
  }

  mark(slot: Slot, fit: boolean): void {
    if (this.#slots[slot.index] === slot) Atomics.store(this.#words, slot.index, fit ? slot.serial : 0)
  }

  enter(): void {
    this.#depth++
  }

  leave(): void {
    if (--this.#depth === 0) this.#sender.ring.publish()
  }

  resume(slot: Slot): void {
    const frames = slot.deferred ?? []
    slot.deferred = undefined
    for (const { kind, flags, id, payload } of frames) this.#deliver(slot, kind, flags, id, payload, 0, payload.length)
  }

  hold(slot: Slot): void {
    this.#held.add(slot)
    const now = this.#shard.world.now()
    if (now < this.#fullNotedAt + FULL_NOTED_MS) return
    this.#fullNotedAt = now
    this.note(slot, Noted['ring-full'], 0)
  }

  drop(slot: Slot): void {
    this.#held.delete(slot)
    if (this.#slots[slot.index] === slot) this.#slots[slot.index] = undefined
    this.#shard.heartbeats.remove(slot)
    for (const { kind, flags, id, payload } of slot.deferred ?? [])
      if (kind === Kind.EXECUTE) this.runs.refused(id, orderIn(flags, payload, 0, payload.length))
  }

  /** Closes all connections and stops listening. Resolves when they are closed. */
  async close(): Promise<void> {
    this.enter()
    this.note(undefined, Noted.closing, this.connections)
    const closing = this.#slots.filter((slot) => slot !== undefined).map((slot) => new Promise<void>((resolve) => slot.close(resolve)))
    this.leave()
    await Promise.all(closing)
    this.#bell.close()
    this.#lane.close()
    this.#shard.forget(this)
  }
}

/** What an EXECUTE frame says of its handler; undefined when that comes as a parcel. */
function orderIn(flags: number, bytes: Buffer, start: number, end: number): unknown {
  return (flags & Flag.WHOLE) === 0 ? undefined : unpackPlain(bytes, start, end)
}
