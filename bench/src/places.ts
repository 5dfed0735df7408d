/** The user's code of the main job: a pool runs `statistics` in its shards, next to a connection. */
import type { ContextOf, resp } from '@cenote/pool-core'

const EARTH_KM = 6371.0088
const DEGREE = Math.PI / 180
/** `extent`: south, west, north, east in degrees. A place alone has no neighbour, and without area there is no density. */
export type Statistics = { places: number; meanKm: number | null; maxKm: number | null; extent: number[]; perKm2: number | null }
type Place = ReturnType<typeof locate>

/** The handler. Its input is the key of a country's document; only its small result crosses to the main thread. */
export async function statistics(key: string, { connection }: ContextOf<typeof resp>): Promise<Statistics> {
  return summarise(String(await connection.request(['GET', key])))
}

/** The same work on a document that is here already: how far is each place from its nearest neighbour? */
export function summarise(document: string): Statistics {
  const places = (JSON.parse(document) as { lat: string; lng: string }[]).map(locate) // as documents.ts wrote them
  const grid = new Map<number, Place[]>() // cells of one degree
  for (const place of places) grid.get(place.cell)?.push(place) ?? grid.set(place.cell, [place])
  const distances = places.map((place) => 2 * EARTH_KM * Math.asin(nearestChord(place, grid) / 2))
  const meanKm = places.length < 2 ? null : distances.reduce((sum, each) => sum + each, 0) / places.length
  const maxKm = places.length < 2 ? null : distances.reduce((most, each) => Math.max(most, each), 0)
  const south = places.reduce((least, { lat }) => Math.min(least, lat), 90)
  const north = places.reduce((most, { lat }) => Math.max(most, lat), -90)
  const lngs = places.map(({ lng }) => lng).sort((a, b) => a - b)
  const gaps = lngs.map((east, index) => ({ east, west: lngs[index + 1] ?? (lngs[0] ?? 0) + 360 }))
  const { west, east } = gaps.reduce((a, b) => (b.west - b.east > a.west - a.east ? b : a)) // some countries lie across 180 degrees
  const km2 = EARTH_KM ** 2 * (Math.sin(north * DEGREE) - Math.sin(south * DEGREE)) * (360 - west + east) * DEGREE
  const extent = [south, west >= 180 ? west - 360 : west, north, east]
  return { places: places.length, meanKm, maxKm, extent, perKm2: km2 > 0 ? places.length / km2 : null }
}

function locate(record: { lat: string; lng: string }) {
  const [lat, lng, radius] = [Number(record.lat), Number(record.lng), Math.cos(Number(record.lat) * DEGREE)]
  const [row, column] = [Math.min(179, Math.floor(lat + 90)), Math.min(359, Math.floor(lng + 180))]
  const [x, y, z] = [radius * Math.cos(lng * DEGREE), radius * Math.sin(lng * DEGREE), Math.sin(lat * DEGREE)]
  return { lat, lng, row, column, cell: row * 360 + column, x, y, z }
}

/** The straight line to the nearest other place: looks at rings of cells until no nearer place can lie further out. */
function nearestChord(from: Place, grid: ReadonlyMap<number, readonly Place[]>): number {
  for (let ring = 0, best = Infinity; ; ring++) {
    for (let row = Math.max(0, from.row - ring); row <= Math.min(179, from.row + ring); row++) {
      const step = Math.abs(row - from.row) === ring ? 1 : 2 * ring // top and bottom of a ring are whole rows, the others two cells
      for (let column = from.column - ring; column <= from.column + ring; column += step)
        best = Math.min(best, nearestIn(grid.get(row * 360 + ((column + 360) % 360)) ?? [], from))
    }
    const rows = ring + Math.min(from.lat + 90 - from.row, from.row - 89 - from.lat) // degrees to the edge of what was searched
    const columns = ring + Math.min(from.lng + 180 - from.column, from.column - 179 - from.lng)
    const reach = Math.min(rows * DEGREE, Math.asin(Math.cos(from.lat * DEGREE) * Math.sin(Math.min(columns, 90) * DEGREE)))
    if (ring === 180 || Math.sqrt(best) <= 2 * Math.sin(reach / 2)) return Math.sqrt(best)
  }
}

function nearestIn(cell: readonly Place[], from: Place): number {
  const chord = (place: Place) => (place.x - from.x) ** 2 + (place.y - from.y) ** 2 + (place.z - from.z) ** 2
  return cell.reduce((best, place) => (place === from ? best : Math.min(best, chord(place))), Infinity)
}
