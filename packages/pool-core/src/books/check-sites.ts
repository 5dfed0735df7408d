/** Derives the invariants of endpoints and of lists from scratch. For tests. */
import type { Cell } from './cells.ts'
import type { BooksState, Check } from './check.ts'
import type { Site } from './sites.ts'
import { emptyTally, type Slot, type SlotList } from './slots.ts'

/** One endpoint: what it counts, and what stands in its lists. */
export function checkSite({ placement, limits }: BooksState, site: Site, slots: readonly Slot[], check: Check): void {
  const { sites, live } = placement
  const at = `endpoint ${sites.all.indexOf(site)} (${site.state})`
  const own = slots.filter((slot) => slot.site === site && slot.state !== 'free')
  const tally = emptyTally()
  let pending = 0
  for (const slot of own) {
    tally[slot.state]++
    pending += slot.state === 'shared' ? slot.inFlight : slot.state === 'leased' ? 1 : 0
  }
  for (const each of Object.keys(tally) as (keyof typeof tally)[]) // an object made by emptyTally has no other keys
    check(tally[each] === site.tally[each], `${at} counts ${site.tally[each]} ${each}, there are ${tally[each]}`)
  check(site.pending === pending, `${at} counts ${site.pending} pending, there are ${pending}`)
  const { connecting } = site.admission
  const admitted = own.filter((slot) => slot.admitted)
  check(connecting === admitted.length, `${at} counts ${connecting} connects, there are ${admitted.length}`)
  check(placement.suspects > 0 || connecting === tally.opening, `${at} has ${tally.opening} connects under way, ${connecting} count`)
  const staying = own.filter((slot) => slot.worn === undefined && slot.state !== 'closing').length
  check(staying <= limits.maxPerEndpoint, `${at} has ${staying} connections, more than ${limits.maxPerEndpoint}`)
  check(sites.usable.includes(site) === (site.state === 'listed'), `${at} is wrongly taken for usable, or not`)
  check(sites.all.includes(site), `${at} was forgotten with connections`)
  check(site.state !== 'draining' || own.length > 0, `${at} is not forgotten`)
  if (site.state !== 'listed') check(own.every(isLeaving), `${at} keeps connections`)
  check(site.cells.length === live.length && live.every((home) => site.cells.includes(site.cell(home))), `${at} has the wrong cells`)
  for (const cell of site.cells) checkCell(cell, own, `${at} in shard ${cell.home.shard}`, check)
}

function isLeaving(slot: Slot): boolean {
  return slot.state === 'closing' || slot.worn !== undefined
}

function checkCell(cell: Cell, own: readonly Slot[], at: string, check: Check): void {
  const slots = own.filter((slot) => slot.cell === cell)
  check(cell.connections === slots.length, `${at} counts ${cell.connections} connections, there are ${slots.length}`)
  for (const list of [cell.idle, cell.aged, cell.blocked, ...cell.levels]) checkList(list, at, check)
  const idle = [...slotsOf(cell.idle), ...slotsOf(cell.aged)]
  for (const [index, slot] of idle.entries())
    check(slot.idleSince >= (idle[index + 1]?.idleSince ?? slot.idleSince), `${at} has its idle slots out of order`)
  const least = cell.levels.find((level) => level.size > 0)?.head
  check(cell.leastLoaded() === least, `${at} finds the wrong least loaded slot`)
}

function slotsOf(list: SlotList): Slot[] {
  const slots: Slot[] = []
  for (let slot = list.head; slot !== undefined; slot = slot.listNext) slots.push(slot)
  return slots
}

/** One list: its links, its ends, its size. */
export function checkList(list: SlotList, at: string, check: Check): void {
  let size = 0
  let last: Slot | undefined
  for (let slot = list.head; slot !== undefined; slot = slot.listNext) {
    check(slot.list === list && slot.listPrev === last, `${at} has a broken list`)
    last = slot
    size++
  }
  check(list.tail === last && list.size === size, `${at} has a list with a wrong end or size`)
}
