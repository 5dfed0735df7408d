/** How long each step of a connect took. */
import type { Socket } from 'node:net'
import type { World } from './world.ts'

/** The steps that a connect has completed, in microseconds. One that it did not need, or did not complete, is absent. */
export interface ConnectTimes {
  /** The name's look-up. An address needs none. */
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
  #found: number | undefined = undefined
  #connected: number | undefined = undefined
  #ready: number | undefined = undefined

  /** @param secure - Whether TLS follows on TCP. */
  constructor(world: World, secure: boolean) {
    this.#world = world
    this.#secure = secure
    this.#began = world.now()
  }

  /** Watches a socket that is about to connect. */
  watch(socket: Socket): void {
    socket.once('lookup', () => {
      this.#found = this.#world.now()
    })
    socket.once('connect', () => {
      this.#connected = this.#world.now()
    })
  }

  /** The protocol may speak. */
  ready(): void {
    this.#ready = this.#world.now()
  }

  /** Microseconds since its making. */
  get total(): number {
    return Math.round((this.#world.now() - this.#began) * 1000)
  }

  /** @param open - Whether the hand-shake has just been completed. */
  times(open: boolean): ConnectTimes {
    return {
      lookup: between(this.#began, this.#found),
      connect: between(this.#found ?? this.#began, this.#connected),
      tls: this.#secure ? between(this.#connected, this.#ready) : undefined,
      handshake: open ? between(this.#ready, this.#world.now()) : undefined,
    }
  }
}

function between(from: number | undefined, to: number | undefined): number | undefined {
  return from === undefined || to === undefined ? undefined : Math.round((to - from) * 1000)
}
