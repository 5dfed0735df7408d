/** Derives every invariant of the books from scratch, by looking at each slot and each waiter. For tests. */
import { checkList, checkSite } from './check-sites.ts'
import type { Pending, Waiter } from './pending.ts'
import { growAt, type Placement } from './placement.ts'
import { emptyTally, type ShardSlots, type Slot, type SlotList } from './slots.ts'

/** The parts of the books. */
export interface BooksState {
  readonly placement: Placement
  readonly pending: Pending
  readonly limits: {
    readonly maxConnections: number
    readonly maxPerEndpoint: number
    readonly minIdle: number
    readonly scheduling: 'lifo' | 'fifo'
    readonly maxPending: number
    readonly pipelining: number
    readonly probeAfterIdleMs: number
    readonly maxUses: number
  }
  readonly retired: boolean
  readonly paused: boolean
  readonly now: number
}

/** Says what does not hold, one line each. */
export function checkBooks(state: BooksState): string[] {
  const problems: string[] = []
  const check = (holds: boolean, problem: string): void => {
    if (!holds) problems.push(problem)
  }
  const slots: Slot[] = []
  for (const home of state.placement.shards) {
    if (home === undefined) continue
    checkShard(state, home, check)
    slots.push(...home.slots)
  }
  for (const site of new Set([...state.placement.sites.all, ...slots.filter(({ state }) => state !== 'free').map(({ site }) => site)]))
    checkSite(state, site, slots, check)
  checkTotals(state, slots, check)
  const suspects = state.placement.shards.filter((home) => home?.suspect).length
  check(suspects === state.placement.suspects, 'suspect shards are miscounted')
  check(!state.placement.shards.some((home) => home?.suspect && !home.live), 'a dead shard is suspect')
  checkPending(state, check)
  checkService(state, slots, check)
  return problems
}

/** Notes a problem when it does not hold. */
export type Check = (holds: boolean, problem: string) => void

function checkShard(state: BooksState, home: ShardSlots, check: Check): void {
  const at = `shard ${home.shard}`
  const tally = emptyTally()
  let handlers = 0
  for (const slot of home.slots) {
    tally[slot.state]++
    if (slot.handler) handlers++
    checkSlot(state, slot, check)
  }
  for (const each of Object.keys(tally) as (keyof typeof tally)[]) // an object made by emptyTally has no other keys
    check(tally[each] === home.tally[each], `${at} counts ${home.tally[each]} ${each}, there are ${tally[each]}`)
  check(handlers === home.handlers, `${at} counts ${home.handlers} handlers, there are ${handlers}`)
}

function checkSlot({ placement, limits }: BooksState, slot: Slot, check: Check): void {
  const { home } = slot
  const name = `slot ${home.shard}/${slot.index} (${slot.state})`
  check(slot.list === listOf(placement, slot), `${name} stands in the wrong list`)
  check((slot.state === 'shared') === slot.inFlight > 0 || slot.state === 'closing', `${name} has ${slot.inFlight} in flight`)
  check(slot.inFlight >= 0 && slot.inFlight <= limits.pipelining, `${name} has ${slot.inFlight} in flight`)
  check(!(slot.reserved || slot.blocked) || slot.state === 'shared', `${name} is reserved or blocked`)
  check(slot.worn === undefined || (slot.state !== 'idle' && slot.state !== 'free' && !slot.reserved), `${name} is worn`)
  check(slot.worn !== undefined || slot.state !== 'shared' || slot.uses < limits.maxUses, `${name} takes more than maxUses`)
  check(slot.state !== 'idle' || slot.uses < limits.maxUses, `${name} is kept though it served maxUses`)
  const times = Math.min(slot.expiresAt, slot.keepAliveMs)
  check(slot.state !== 'free' || (slot.uses === 0 && times === Number.POSITIVE_INFINITY), `${name} remembers its last connection`)
  check(slot.restMs === Number.POSITIVE_INFINITY || slot.state === 'resetting', `${name} remembers how it was given back`)
  check(!slot.admitted || slot.state === 'opening', `${name} counts as a connect`)
  check(!slot.handler || slot.state === 'leased' || slot.state === 'closing', `${name} runs a handler`)
  check(home.live || slot.state === 'closing' || slot.state === 'free', `${name} is in use though its shard is not live`)
}

function listOf(placement: Placement, slot: Slot): SlotList | undefined {
  const { cell } = slot
  if (slot.state === 'idle') return slot.list === cell.aged ? cell.aged : cell.idle
  if (slot.state !== 'shared') return undefined
  if (slot.reserved) return placement.reserved
  if (slot.worn !== undefined) return undefined
  return slot.blocked ? cell.blocked : cell.levels[slot.inFlight]
}

function checkTotals({ placement, limits }: BooksState, slots: readonly Slot[], check: Check): void {
  const tally = emptyTally()
  for (const slot of slots) tally[slot.state]++
  for (const state of Object.keys(tally) as (keyof typeof tally)[]) // as above
    check(tally[state] === placement.tally[state], `${placement.tally[state]} ${state} are counted, there are ${tally[state]}`)
  const connections = slots.length - tally.free
  check(connections === placement.connections, `${placement.connections} connections are counted, there are ${connections}`)
  const staying = slots.filter((slot) => slot.worn === undefined && slot.state !== 'closing' && slot.state !== 'free').length
  check(staying <= limits.maxConnections, `${staying} connections exceed ${limits.maxConnections}`)
  checkList(placement.reserved, 'the pool', check)
  check(placement.reserved.size === slots.filter((slot) => slot.reserved).length, 'reserved slots are miscounted')
}

function checkPending({ pending, limits }: BooksState, check: Check): void {
  const waiters: Waiter[] = []
  for (const waiter of pending) {
    const before = waiters.at(-1)
    check(before === undefined || before.priority >= waiter.priority, 'a lower priority comes first')
    check(waiter.queued && waiter.waiterPrev === (before?.priority === waiter.priority ? before : undefined), 'a queue is broken')
    waiters.push(waiter)
  }
  check(pending.head === waiters[0], 'the first in turn is the wrong one')
  const requests = waiters.filter((waiter) => waiter.kind === 'request')
  check(pending.requests === requests.length, 'waiting requests are miscounted')
  check(pending.leases === waiters.length - requests.length, 'waiting leases are miscounted')
  check(pending.firstRequest === requests[0], 'the oldest request is the wrong one')
  check(waiters.length <= limits.maxPending, `${waiters.length} wait`)
}

/** Nobody waits who could be served, and what the waiters need is on its way as far as the limits allow. */
function checkService({ placement, pending, limits, retired, paused, now }: BooksState, slots: readonly Slot[], check: Check): void {
  const { coming, reserved } = placement
  const uncovered = Math.max(0, pending.leases - coming)
  check(reserved.size <= uncovered, `${reserved.size} are reserved for ${uncovered} leases`)
  const wanted = paused ? 0 : pending.leases + Math.ceil(pending.requests / growAt(limits))
  const open = !retired && canOpen(placement, limits.maxConnections)
  for (const site of placement.sites.usable)
    check(!open || !site.admission.down || !placement.sites.mayOpen(site), 'an endpoint that is down is not tried again')
  check(!open || placement.tally.idle + coming >= limits.minIdle + wanted, 'fewer than minIdle are idle or coming')
  check(!paused || reserved.size === 0, 'a connection is reserved though nobody is served')
  if (pending.size === 0 || paused) return
  const chosen = slots.filter((slot) => placement.choices.includes(slot.home))
  const fitSlots = chosen.filter((slot) => (slot.state === 'idle' || slot.state === 'shared') && placement.fit(slot))
  const idle = fitSlots.filter((slot) => slot.state === 'idle')
  const fresh = idle.filter((slot) => now - slot.idleSince < limits.probeAfterIdleMs)
  const free = fitSlots.filter((slot) => slot.state === 'shared' && !slot.reserved && slot.worn === undefined)
  const joinable = free.filter((slot) => !slot.blocked && slot.inFlight < limits.pipelining)
  check(fresh.length === 0, 'somebody waits while a fresh idle connection exists')
  check(idle.length === 0 || placement.proving >= wanted, 'somebody waits while an idle connection could be probed')
  check(uncovered <= reserved.size || free.length === 0, 'a lease waits for nothing while a connection could be reserved')
  check(pending.requests === 0 || joinable.length === 0, 'a request waits while a connection has room')
  check(coming >= wanted || !open, 'somebody waits while a connection could be opened')
}

function canOpen(placement: Placement, maxConnections: number): boolean {
  const { connections, choices, sites } = placement
  if (connections >= maxConnections || !sites.usable.some((site) => sites.mayOpen(site))) return false
  const cap = Math.ceil(maxConnections / choices.length)
  return choices.some((home) => home.connections < cap)
}
