/** What a listener throws is an uncaught error of its own: whoever tells it has more to do, for others too. */
export function throwLater(thrown: unknown): void {
  queueMicrotask(() => {
    throw thrown
  })
}
