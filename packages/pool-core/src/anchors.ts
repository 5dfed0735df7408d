/** How a lease is noticed that its holder has forgotten: the garbage collector tells of its anchor. */
import type { Hold } from './hold.ts'

/** What a lease has while it is held: with the one, the other is collected. */
export interface Anchor {
  readonly mark: Mark
}

/** What is told of an anchor that was collected; it must not lead back to it. */
interface Mark {
  /** Of the lease that has the anchor, or had it last. */
  hold: Hold
}

/**
 * Registering an object costs ten times what a lease does, so anchors are registered once and used again: a lease takes one when it is
 * granted, and gives it back when it is released. So is the hold that goes with it, unless somebody may still look at it: old as they
 * are then, nothing of them costs the garbage collector anything.
 */
export class Anchors {
  readonly #free: Anchor[] = []
  /** The one that was given back last. */
  #last: Anchor | undefined = undefined
  readonly #registry: FinalizationRegistry<Mark>
  readonly #hold: () => Hold
  readonly #keepsHolds: boolean

  /**
   * @param hold - Makes one.
   * @param lost - Told of each lease that was collected with its anchor.
   * @param watched - Whether somebody looks at holds that are over.
   */
  constructor(hold: () => Hold, lost: (hold: Hold) => void, watched = false) {
    this.#hold = hold
    this.#keepsHolds = !watched
    this.#registry = new FinalizationRegistry(({ hold }) => {
      if (!hold.released) lost(hold)
    })
  }

  /** One whose hold is to begin. */
  take(): Anchor {
    const last = this.#last
    if (last === undefined) return this.#free.pop() ?? this.#make()
    this.#last = undefined
    return last
  }

  /** Its lease is over. */
  giveBack(anchor: Anchor): void {
    const { mark } = anchor
    if (this.#keepsHolds && mark.hold.plain) mark.hold.line = undefined
    else mark.hold = this.#hold()
    if (this.#last === undefined) this.#last = anchor
    else this.#free.push(anchor)
  }

  #make(): Anchor {
    const anchor: Anchor = { mark: { hold: this.#hold() } }
    this.#registry.register(anchor, anchor.mark)
    return anchor
  }
}
