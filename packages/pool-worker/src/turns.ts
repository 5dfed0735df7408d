/** The end of each turn of a shard's event loop: what is done once for all that the turn has brought. */
import type { World } from './world.ts'
import { Writes } from './writes.ts'

/** Whoever has something to do at the end of a turn. It must not throw. */
export interface Turning {
  /** Tells its other side of what this turn has brought. */
  show(): void
  /** Reads what has come from there. */
  read(): void
  /** Lets its other side wake this thread for what comes from now on. Returns false when it looks again at the end of the next turn. */
  rest(): boolean
}

/**
 * While a shard has work, each of its turns ends here, after the sockets were polled: replies are told; what has come is read, so that a CANCEL
 * is in time; sockets are written to that have waited for this poll phase; what has come meanwhile is read. As long as that goes on nobody need
 * wake the thread. A turn that brings nothing is the last.
 *
 * Telling and reading are two callbacks of the event loop: with `shards: 0` the callers who are answered go on between them, and what they ask
 * is read in the same turn.
 */
export class Turns {
  readonly writes: Writes
  readonly #world: World
  readonly #links = new Set<Turning>()
  #armed = false
  #ending = false

  constructor(world: World) {
    this.#world = world
    this.writes = new Writes(this.arm)
  }

  add(link: Turning): void {
    this.#links.add(link)
  }

  remove(link: Turning): void {
    this.#links.delete(link)
  }

  /** The other sides were told of this turn: of what comes now they are told at the end of the next. */
  get ending(): boolean {
    return this.#ending
  }

  /** This turn ends here, or the next if this is an end already. */
  readonly arm = (): void => {
    if (this.#armed) return
    this.#armed = true
    this.#world.immediate(this.#show)
    this.#world.immediate(this.#end)
  }

  readonly #show = (): void => {
    this.#armed = false
    for (const link of this.#links) link.show()
    this.#ending = true
  }

  readonly #end = (): void => {
    this.writes.beginEnd()
    for (const link of this.#links) link.read()
    this.writes.write()
    for (const link of this.#links) link.read()
    this.#ending = false
    let more = this.writes.end()
    for (const link of this.#links) if (!link.rest()) more = true
    if (more) this.arm()
  }
}
