/** Garbage collection on demand: the runner starts each test file with --expose-gc. */
import { until } from '../../../pool-worker/test/kit/kit.ts'

const collect = (): void => {
  if (globalThis.gc === undefined) throw new Error('run with --expose-gc')
  globalThis.gc()
}

/** Collects until something has come of it. */
export const collectUntil = (condition: () => boolean, what: string): Promise<void> =>
  until(
    () => {
      collect()
      return condition()
    },
    what,
    15_000,
  )

/** Collects what there is to collect: an object made now is gone by then, and whoever is told of it has been told. */
export async function collectAll(): Promise<void> {
  for (let round = 0; round < 2; round++) {
    let gone = false
    const registry = new FinalizationRegistry(() => {
      gone = true
    })
    registry.register({}, undefined)
    await collectUntil(() => gone, 'the collector has been here')
  }
}
