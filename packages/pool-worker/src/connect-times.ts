/** How long each step of a connect took. */
import type { Socket } from 'node:net'
import type { World } from './world.ts'

/** The steps that a connect has completed, in microseconds. One that it did not need, or did not complete, is absent. */
export interface ConnectTimes {
  /** The name's look-up, on the caller's thread. An address needs none, nor does a name whose addresses are known. */
  readonly lookup?: number | undefined
  /** TCP, or the unix socket. */
  readonly connect?: number | undefined
  readonly tls?: number | undefined
  /** The protocol's hand-shake. */
  readonly handshake?: number | undefined
}

/** Runs from its making until it is read. */
export class ConnectWatch {
  readonly #world: World
  readonly #secure: boolean
  readonly #began: number
  readonly #lookup: number | undefined
  #connected: number | undefined = undefined
  #ready: number | undefined = undefined

  /**
   * @param secure - Whether TLS follows on TCP.
   * @param lookup - What the name's look-up took before, in microseconds.
   */
  constructor(world: World, secure: boolean, lookup: number | undefined) {
    this.#world = world
    this.#secure = secure
    this.#lookup = lookup
    this.#began = world.now()
  }

  /** Watches a socket that is about to connect. */
  watch(socket: Socket): void {
    socket.once('connect', () => {
      this.#connected = this.#world.now()
    })
  }

  /** The protocol may speak. */
  ready(): void {
    this.#ready = this.#world.now()
  }

  /** Microseconds since its making. */
  get elapsed(): number {
    return Math.round((this.#world.now() - this.#began) * 1000)
  }

  /** The same, and the look-up before. */
  get total(): number {
    return this.elapsed + (this.#lookup ?? 0)
  }

  /** @param open - Whether the hand-shake has just been completed. */
  times(open: boolean): ConnectTimes {
    return {
      lookup: this.#lookup,
      connect: between(this.#began, this.#connected),
      tls: this.#secure ? between(this.#connected, this.#ready) : undefined,
      handshake: open ? between(this.#ready, this.#world.now()) : undefined,
    }
  }
}

function between(from: number | undefined, to: number | undefined): number | undefined {
  return from === undefined || to === undefined ? undefined : Math.round((to - from) * 1000)
}
