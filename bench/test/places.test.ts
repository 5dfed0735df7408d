import * as assert from 'uvu/assert'
import { suite } from '../../packages/pool-worker/test/kit/kit.ts'
import { statistics, summarise } from '../src/places.ts'

const test = suite('the user code of the main job')
const EARTH_KM = 6371.0088
const DEGREE = Math.PI / 180

type Point = readonly [lat: number, lng: number]

test('the grid finds the nearest neighbours that looking at every pair finds', () => {
  const random = generator(7)
  const regions: (() => Point)[] = [
    () => [random() * 180 - 90, random() * 360 - 180], // all over the world
    () => [85 + random() * 5, random() * 360 - 180], // round a pole, where cells are narrow
    () => [random() * 4 - 2, random() < 0.5 ? 179 + random() : random() - 180], // across 180 degrees
    () => [-88 - random() * 2, random() < 0.3 ? 180 : -180], // on the edges of the grid
    () => [48 + random() * 2, 9 + random() * 2], // many in one cell
  ]
  for (const region of regions) {
    for (const count of [2, 3, 10, 60]) {
      const points = Array.from({ length: count }, region)
      const nearest = points.map((point, index) =>
        Math.min(...points.map((other, at) => (at === index ? Infinity : distanceKm(point, other)))),
      )
      const { meanKm, maxKm } = summarise(toDocument(points))
      near(meanKm, nearest.reduce((sum, each) => sum + each, 0) / count)
      near(maxKm, Math.max(...nearest))
    }
  }
})

test('a place alone has no neighbour and no density', () => {
  assert.equal(summarise(toDocument([[-19, -169]])), { places: 1, meanKm: null, maxKm: null, extent: [-19, -169, -19, -169], perKm2: null })
})

test('a country across 180 degrees is not as wide as the world', () => {
  const { extent } = summarise(
    toDocument([
      [-16, 179],
      [-18, -179],
      [-17, 178],
    ]),
  )
  assert.equal(extent, [-18, 178, -16, -179])
})

test('density is places by area', () => {
  const { perKm2 } = summarise(
    toDocument([
      [0, 0],
      [1, 1],
    ]),
  )
  near(perKm2, 2 / (EARTH_KM ** 2 * Math.sin(DEGREE) * DEGREE))
})

test('the handler fetches the document of its key', async () => {
  const asked: unknown[] = []
  const connection = {
    async request(request: unknown) {
      asked.push(request)
      return toDocument([[1, 2]])
    },
    keepAlive: () => undefined,
  }
  const context = { connection, client: undefined, signal: new AbortController().signal, progress: () => undefined, options: undefined }
  assert.is((await statistics('k', context)).places, 1)
  assert.equal(asked, [['GET', 'k']])
})

test.run()

function toDocument(points: readonly Point[]): string {
  return JSON.stringify(points.map(([lat, lng]) => ({ lat: String(lat), lng: String(lng) })))
}

function distanceKm([latA, lngA]: Point, [latB, lngB]: Point): number {
  const half = (a: number, b: number) => Math.sin(((b - a) * DEGREE) / 2) ** 2
  return (
    2 *
    EARTH_KM *
    Math.asin(Math.sqrt(Math.min(1, half(latA, latB) + Math.cos(latA * DEGREE) * Math.cos(latB * DEGREE) * half(lngA, lngB))))
  )
}

function near(actual: number | null, expected: number): void {
  assert.ok(actual !== null && Math.abs(actual - expected) <= 1e-6 * expected + 1e-6, `${actual} is not ${expected}`)
}

/** Numbers in [0, 1) that look random and are the same in each run. */
function generator(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 1664525 + 1013904223) % 2 ** 32
    return state / 2 ** 32
  }
}
