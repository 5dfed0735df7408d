/** One slot of one link: the life of a connection from OPEN to LOST or CLOSED. */
import type { Socket } from 'node:net'
import { Clients } from './clients.ts'
import { type Attempt, connect } from './connect.ts'
import { ConnectWatch } from './connect-times.ts'
import { Connection, type Driver, Pause } from './connection.ts'
import type { Deadlines } from './deadlines.ts'
import { encodeError, PoolError } from './errors.ts'
import { CLOSE_REASONS, type CloseReason, Flag, Kind } from './frame.ts'
import { Framed } from './framed.ts'
import { lateError, openingError, runCheck, shakeHands } from './hand-shake.ts'
import type { Beating, DeferredFrame } from './heartbeats.ts'
import { runHook } from './hooks.ts'
import type { LostInfo, OpenedInfo, OpenRequest, ShardSettings } from './messages.ts'
import { Noted } from './noted.ts'
import type { Run } from './runs.ts'
import type { Shard } from './shard.ts'
import type { Place, Side } from './side.ts'
import { Streamed } from './streamed.ts'
import type { Cancel, World } from './world.ts'

/** Where a slot sends, and what it is told apart by. One for each link. */
export interface Outlet {
  send(slot: Slot, kind: number, flags: number, id: number, payload?: Uint8Array, start?: number, end?: number): void
  give(slot: Slot, kind: number, id: number, payload: Buffer): void
  /** The connection's serial while it is fit to lend, else 0. */
  mark(slot: Slot, fit: boolean): void
  /** Called before and after whatever may send; after the last `leave` it is published. */
  enter(): void
  leave(): void
  /** The ring has no room: reading is paused until it has. */
  readonly full: boolean
  hold(slot: Slot): void
  /** Keeps an event in the flight recorder. */
  note(slot: Slot, event: Noted, detail: number): void
  drop(slot: Slot): void
  /** A heart-beat is over: what was deferred takes its way. */
  resume(slot: Slot): void
  /** The caller's thread has been silent for `maxMainStallMs`. */
  readonly deserted: boolean
}

export class Slot implements Driver, Place, Beating {
  readonly index: number
  readonly serial: number
  readonly connection: Connection
  /** The handler that has the connection. */
  run: Run | undefined = undefined
  beatAt = 0
  /** What came while a heart-beat went on, oldest first; undefined while none does. */
  deferred: DeferredFrame[] | undefined = undefined
  readonly #shard: Shard
  readonly #outlet: Outlet
  #phase: 'opening' | 'open' | 'checking' | 'closing' | 'over' = 'opening'
  #side: Framed | Streamed | Clients | undefined = undefined
  #framed: Framed | undefined = undefined
  #open: OpenRequest | undefined = undefined
  #attempt: Attempt | undefined = undefined
  #deadline: Cancel | undefined = undefined
  /** Until it is open. */
  #watch: ConnectWatch | undefined = undefined
  /** A lease has sent a request, and was not given back. */
  #leased = false
  /** What LOST will say once the running handler has ended. */
  #lost: LostInfo | undefined = undefined
  #whenClosed: (() => void) | undefined = undefined

  constructor(shard: Shard, outlet: Outlet, index: number, serial: number) {
    this.#shard = shard
    this.#outlet = outlet
    this.index = index
    this.serial = serial
    this.connection = new Connection(shard.plumbing, this)
  }

  get world(): World {
    return this.#shard.world
  }

  get settings(): ShardSettings {
    return this.#shard.settings
  }

  get wheel(): Deadlines {
    return this.#shard.wheel
  }

  /** Whether requests and handlers may use the connection. */
  get usable(): boolean {
    return this.#phase === 'open'
  }

  /** Whether the caller's side still reads its frames: not once it was told that the connection is closed. */
  get heard(): boolean {
    return this.#phase !== 'over' || this.#lost !== undefined
  }

  get deserted(): boolean {
    return this.#outlet.deserted
  }

  get side(): Side | undefined {
    return this.#side
  }

  send(kind: number, flags: number, id: number, payload?: Uint8Array, start?: number, end?: number): void {
    this.#outlet.send(this, kind, flags, id, payload, start, end)
  }

  give(kind: number, id: number, payload: Buffer): void {
    this.#outlet.give(this, kind, id, payload)
  }

  /** OPEN: connects, shakes hands. `ms` is the deadline for all of it; 0 = none. */
  open(request: OpenRequest, ms: number): void {
    this.#open = request
    this.#watch = new ConnectWatch(this.world, request.endpoint.transport === 'tls', request.lookup)
    if (ms > 0) {
      const late = () => {
        if (this.#phase === 'opening') this.lose('error', this.#connectTimeout(ms))
      }
      this.#deadline = this.world.timer(ms, false, () => void this.world.immediate(() => this.#around(late))) // after a stall, one poll phase first
    }
    try {
      this.#attempt = connect(this.world, this.settings, request, this.connection.onread, {
        opened: (socket) => this.#around(() => this.#connected(socket)),
        failed: (error) => this.#around(() => this.lose('error', error)),
      })
      this.#watch.watch(this.#attempt.socket)
    } catch (cause) {
      this.lose(
        'error',
        PoolError.is(cause)
          ? cause
          : new PoolError('CONNECT_FAILED', `cannot connect: ${String(cause)}`, { phase: 'connect', outcome: 'not-sent', cause }),
      )
    }
  }

  #connectTimeout(ms: number): PoolError {
    const stage = this.#attempt?.socket.connecting === true ? 'connect' : this.connection.socket === undefined ? 'tls' : 'protocol'
    return lateError(ms, stage, Math.round((this.#watch?.elapsed ?? 0) / 1000 - ms), this.settings.unrefSockets)
  }

  #connected(socket: Socket): void {
    this.#watch?.ready()
    this.connection.attach(socket)
    shakeHands(this, this.#shard.modules.protocol, this.#open as OpenRequest, {
      began: (side) => {
        this.#side = side
        if (side instanceof Framed) this.#framed = side
      },
      done: (error) =>
        this.#around(() => {
          if (this.#phase !== 'opening') return
          if (error === undefined) this.#opened()
          else this.lose('error', error)
        }),
      retired: (reason) => this.#around(() => this.#retire(reason)),
    })
  }

  #retire(reason: string): void {
    if (this.#phase === 'over' || this.#phase === 'closing') return
    this.#outlet.mark(this, false)
    if (this.#side instanceof Clients) this.#side.retire(reason)
  }

  #opened(): void {
    this.#phase = 'open'
    this.#deadline?.()
    this.#attempt = undefined
    const watch = this.#watch
    this.#watch = undefined
    const info: OpenedInfo = { localPort: this.connection.socket?.localPort, times: watch?.times(true) }
    this.#outlet.mark(this, true)
    this.#shard.heartbeats.add(this)
    this.send(Kind.OPENED, 0, watch?.total ?? 0, Buffer.from(JSON.stringify(info)))
  }

  /** SEND: a fragment of a call's request. */
  request(callId: number, flags: number, bytes: Buffer, start: number, end: number): void {
    if ((flags & Flag.EXCLUSIVE) !== 0) this.#leased = true
    if (this.#phase === 'open') this.#side?.request(callId, (flags & Flag.MORE) !== 0, bytes, start, end)
  }

  /** CANCEL of a call, or of the running handler. */
  cancel(callId: number, exclusive: boolean): void {
    if (this.run?.callId === callId) this.run.cancel()
    else this.#side?.cancel(callId, exclusive)
  }

  /** CREDIT of a stream; with `start`, the connection becomes one. */
  credit(bytes: number, start: boolean): void {
    if (this.#phase !== 'open') return
    if (start && this.#side instanceof Framed) {
      if (!this.#side.quiet())
        return this.lose('error', new PoolError('DESYNC', 'a stream cannot begin while replies are owed', { phase: 'send' }))
      this.#side.retire()
      this.#side = new Streamed(this, this.#side.kept, this.#side.written)
    }
    if (this.#side instanceof Streamed) this.#side.credit(bytes)
  }

  /** DATA of a stream. */
  data(flags: number, bytes: Buffer, start: number, end: number): void {
    const last = (flags & Flag.END) !== 0 && (flags & Flag.MORE) === 0
    if (this.#side instanceof Streamed) this.#side.data(bytes, start, end, last)
  }

  /** RELEASE: with `prove`, IDLE or LOST follows. */
  release(prove: boolean): void {
    const side = this.#side
    this.#leased = false
    if (this.#phase !== 'open' || side === undefined) return
    if (side instanceof Streamed) {
      if (!prove || !side.quiet()) return this.lose('error', new PoolError('DESYNC', 'a stream was left half done', { phase: 'close' }))
      return this.#reframe(side)
    }
    if (prove) this.prove(true)
    else if (side.owes) this.lose('error', new PoolError('DESYNC', 'released while replies are owed', { phase: 'close' }))
  }

  #reframe(stream: Streamed): void {
    const { protocol } = this.#shard.modules
    if (protocol.form !== 'codec') return
    stream.end()
    this.#side = this.#framed = new Framed(this, protocol, this.#framed)
    this.connection.resume(Pause.CREDIT)
    if (this.#framed.start()) this.send(Kind.IDLE, 0, 0)
  }

  /** Makes sure that the next caller may have the connection: answers IDLE or LOST. */
  prove(dirty: boolean): void {
    const side = this.#side
    if (side === undefined || side instanceof Streamed || !side.quiet()) {
      return this.lose('error', new PoolError('DESYNC', 'released with replies owed, or with bytes unsent or unread', { phase: 'close' }))
    }
    const { protocol } = this.#shard.modules
    if (!dirty || (side instanceof Clients && protocol.definition.reset === undefined)) return this.send(Kind.IDLE, 0, 0)
    if (protocol.definition.reset === undefined) {
      return this.lose(
        'error',
        new PoolError('HOOK_FAILED', `the protocol ${protocol.definition.name} cannot reset a connection`, { phase: 'close' }),
      )
    }
    this.#check('reset', side, this.#ready)
  }

  /** PROBE: the protocol's health check. Answers IDLE or LOST. */
  probe(): void {
    const side = this.#side
    if (this.#phase !== 'open' || side === undefined) return
    if (side instanceof Streamed || !side.quiet())
      return this.lose('probe', new PoolError('DESYNC', 'probed while in use', { phase: 'probe' }))
    if (this.#shard.modules.protocol.definition.probe === undefined) return this.send(Kind.IDLE, 0, 0)
    this.#check('probe', side, this.#ready)
  }

  /** Probes an idle connection unasked; what comes meanwhile waits behind it, so that nobody need know. */
  heartbeat(): void {
    const side = this.#side
    if (this.#phase !== 'open' || side === undefined || side instanceof Streamed) return
    if (this.run !== undefined || this.#leased || !side.quiet()) return
    this.deferred = []
    this.#check('probe', side, () => this.#outlet.resume(this))
  }

  readonly #ready = (): void => this.send(Kind.IDLE, 0, 0)

  #check(name: 'probe' | 'reset', side: Framed | Clients, good: () => void): void {
    this.#phase = 'checking'
    const done = (error: PoolError | undefined) => {
      if (this.#phase !== 'checking') return
      this.#phase = 'open'
      if (error !== undefined) return this.lose(name === 'probe' ? 'probe' : 'error', error)
      if (side instanceof Framed && name === 'reset') side.dirty = false
      good()
    }
    runCheck(this, this.#shard.modules.protocol, this.#open as OpenRequest, side, name).then(
      () => this.#around(() => done(undefined)),
      (error: PoolError) => this.#around(() => done(error)),
    )
  }

  /** The connection is over: at once for whoever waits; for the caller's side when no handler runs. */
  lose(reason: CloseReason, error?: PoolError): void {
    if (this.#phase === 'over' || this.#phase === 'closing') return
    const why = this.#phase === 'opening' ? openingError(reason, error) : error
    this.#phase = 'over'
    this.#outlet.mark(this, false)
    this.#outlet.note(this, Noted.lost, CLOSE_REASONS.indexOf(reason))
    const times = this.#watch?.times(false)
    this.#lost = why === undefined ? { reason, times } : { reason, error: encodeError(why), times }
    this.#shutSocket()
    this.#side?.end(
      new PoolError('CONNECTION_LOST', `the connection is lost: ${reason}`, { phase: 'reply', outcome: 'maybe-executed', cause: why }),
    )
    if (this.run === undefined) this.#tellLost()
    else this.run.connectionLost()
  }

  #tellLost(): void {
    this.send(Kind.LOST, 0, this.#side?.written ?? 0, Buffer.from(JSON.stringify(this.#lost)))
    this.#outlet.drop(this)
  }

  #shutSocket(): void {
    this.#deadline?.()
    this.#attempt?.cancel()
    this.#attempt?.socket.once('close', () => this.onClosed())
    this.connection.destroy()
  }

  /** CLOSE: CLOSED follows when the socket is closed. Does nothing to a connection that is lost already. */
  close(told?: () => void): void {
    if (this.#phase === 'over' || this.#phase === 'closing') return told?.()
    const graceful = this.#phase === 'open' && this.#side instanceof Clients ? this.#side : undefined
    this.#phase = 'closing'
    this.#whenClosed = told
    this.#outlet.mark(this, false)
    const shut = () => {
      const error = new PoolError('CONNECTION_LOST', 'the pool has closed the connection', { phase: 'close', outcome: 'maybe-executed' })
      this.#shutSocket()
      this.#side?.end(error)
      this.run?.cancel()
    }
    if (graceful === undefined) return shut()
    const later = () => this.#around(shut)
    runHook(this.world, this.settings.probeTimeoutMs, 'close', 'close', () => graceful.close()).then(later, later)
  }

  /** A handler has ended: DONE, with its result if that is `whole`, and what became of its connection. */
  runEnded(callId: number, whole?: Buffer): void {
    this.run = undefined
    const side = this.#side
    const open = this.#phase === 'open' && side !== undefined
    const dirty = side instanceof Framed ? side.dirty : this.#shard.modules.protocol.definition.reset !== undefined
    const clean = open && !dirty && side.quiet()
    this.send(Kind.DONE, (whole === undefined ? 0 : Flag.WHOLE) | (clean ? Flag.CLEAN : 0), callId, whole)
    if (this.#lost !== undefined) this.#tellLost()
    else if (open && !clean) this.prove(dirty)
  }

  get room(): Buffer | undefined {
    return this.#side instanceof Framed ? this.#side.room : undefined
  }

  onBytes(chunk: Buffer): boolean {
    this.#outlet.enter()
    const more = this.#side?.onBytes(chunk) ?? true
    this.#outlet.leave()
    if (this.#outlet.full && this.#side?.owes === true && !(this.#side instanceof Clients)) {
      this.connection.pause(Pause.RING)
      this.#outlet.hold(this)
    }
    return more
  }

  onEnd(): void {
    this.#around(() => this.#side?.onEnd())
  }

  onDead(error: Error | undefined): void {
    this.#around(() => this.#died(error))
  }

  #died(error: Error | undefined): void {
    if (error === undefined && this.#side instanceof Streamed && this.#side.endsLater()) return
    if (error === undefined) return this.lose(this.connection.halfClosed ? 'peer-end' : 'error')
    const reset = (error as NodeJS.ErrnoException).code === 'ECONNRESET'
    const details = { phase: 'reply', outcome: 'maybe-executed', cause: error } as const
    this.lose(reset ? 'peer-reset' : 'error', new PoolError('CONNECTION_LOST', `the connection broke: ${error.message}`, details))
  }

  onWrite(): void {
    this.#side?.onWrite()
  }

  onTaken(): void {
    this.#outlet.enter()
    this.#side?.onTaken()
    this.#outlet.leave()
  }

  onClosed(): void {
    if (this.#phase !== 'closing') return
    this.#phase = 'over'
    this.#around(() => this.send(Kind.CLOSED, 0, 0))
    this.#outlet.drop(this)
    this.#whenClosed?.()
  }

  #around(action: () => void): void {
    this.#outlet.enter()
    action()
    this.#outlet.leave()
  }
}
