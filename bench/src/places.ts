import type { ContextOf, resp } from '@cenote/pool-core'

const [EARTH_KM, DEGREE] = [6371.0088, Math.PI / 180]
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
  const distances = places.map((place) => nearestKm(place, grid))
  const mean = distances.reduce((sum, each) => sum + each, 0) / places.length
  const [south, north] = [Math.min(...places.map(({ lat }) => lat)), Math.max(...places.map(({ lat }) => lat))]
  const lngs = places.map(({ lng }) => lng).sort((a, b) => a - b)
  const gaps = lngs.map((east, index) => ({ east, west: lngs[index + 1] ?? (lngs[0] ?? 0) + 360 }))
  const { west, east } = gaps.reduce((a, b) => (b.west - b.east > a.west - a.east ? b : a)) // some countries lie across 180 degrees
  const km2 = EARTH_KM ** 2 * (Math.sin(north * DEGREE) - Math.sin(south * DEGREE)) * (360 - west + east) * DEGREE
  const extent = [south, west >= 180 ? west - 360 : west, north, east]
  const [meanKm, maxKm] = places.length < 2 ? [null, null] : [mean, Math.max(...distances)]
  return { places: places.length, meanKm, maxKm, extent, perKm2: km2 > 0 ? places.length / km2 : null }
}

function locate(record: { lat: string; lng: string }) {
  const [lat, lng] = [Number(record.lat), Number(record.lng)]
  const [row, column] = [Math.min(179, Math.floor(lat + 90)), Math.min(359, Math.floor(lng + 180))]
  return { lat, lng, row, column, cell: row * 360 + column }
}

/** How far it is to the nearest other place: looks at rings of cells until no nearer place can lie further out. */
function nearestKm(from: Place, grid: ReadonlyMap<number, readonly Place[]>): number {
  for (let ring = 0, best = Infinity; ; ring++) {
    for (let row = Math.max(0, from.row - ring); row <= Math.min(179, from.row + ring); row++) {
      const step = Math.abs(row - from.row) === ring ? 1 : 2 * ring // top and bottom of a ring are whole rows, the others two cells
      for (let column = from.column - ring; column <= from.column + ring; column += step)
        best = nearestIn(grid.get(row * 360 + ((column + 360) % 360)) ?? [], from, best)
    }
    const rows = ring + Math.min(from.lat + 90 - from.row, from.row - 89 - from.lat) // degrees to the edge of what was searched
    const columns = ring + Math.min(from.lng + 180 - from.column, from.column - 179 - from.lng)
    const reach = Math.min(rows * DEGREE, Math.asin(Math.cos(from.lat * DEGREE) * Math.sin(Math.min(columns, 90) * DEGREE)))
    if (ring === 180 || best <= EARTH_KM * reach) return best
  }
}

function nearestIn(cell: readonly Place[], from: Place, best: number): number {
  return cell.reduce((least, place) => (place === from ? least : Math.min(least, greatCircleKm(from, place))), best)
}

function greatCircleKm(a: Place, b: Place): number {
  const half = (degrees: number) => Math.sin((degrees * DEGREE) / 2) ** 2
  const h = half(b.lat - a.lat) + Math.cos(a.lat * DEGREE) * Math.cos(b.lat * DEGREE) * half(b.lng - a.lng)
  return 2 * EARTH_KM * Math.asin(Math.sqrt(Math.min(1, h)))
}
