/** How a lease is noticed that its holder has forgotten: the garbage collector tells of its anchor. */
import type { Hold } from './hold.ts'

/** What a lease has while it is held: with the one, the other is collected. */
export interface Anchor {
  readonly mark: Mark
}

/** What is told of an anchor that was collected; it must not lead back to it. */
interface Mark {
  /** Whose it is; undefined while it is nobody's. */
  hold: Hold | undefined
}

/**
 * Registering an object costs ten times what a lease does, so anchors are registered once and used again: a lease takes one when it is
 * granted, and gives it back when it is released.
 */
export class Anchors {
  readonly #free: Anchor[] = []
  readonly #registry: FinalizationRegistry<Mark>

  /** @param lost - Told of each lease that was collected with its anchor. */
  constructor(lost: (hold: Hold) => void) {
    this.#registry = new FinalizationRegistry(({ hold }) => {
      if (hold !== undefined) lost(hold)
    })
  }

  take(hold: Hold): Anchor {
    const anchor = this.#free.pop() ?? this.#make()
    anchor.mark.hold = hold
    return anchor
  }

  giveBack(anchor: Anchor): void {
    anchor.mark.hold = undefined
    this.#free.push(anchor)
  }

  #make(): Anchor {
    const anchor: Anchor = { mark: { hold: undefined } }
    this.#registry.register(anchor, anchor.mark)
    return anchor
  }
}
