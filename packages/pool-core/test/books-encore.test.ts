/** A connection that is given back and lent again with nothing in between stays where it is: nobody must be able to tell. */
import * as fc from 'fast-check'
import * as assert from 'uvu/assert'
import { suite } from '../../pool-worker/test/kit/kit.ts'
import { Books, type BooksLimits } from '../src/books/books.ts'
import type { Waiter, WaiterKind } from '../src/books/pending.ts'
import type { Slot } from '../src/books/slots.ts'
import { defaults, numbers, Rig } from './books-rig.ts'

const test = suite('books, lent again', { timeoutMs: 120_000 })

/** Runs; BOOKS_RUNS raises them for a long search by hand. */
const RUNS = Number(process.env.BOOKS_RUNS ?? 400)

/** One pool's books; `settled` ones are counted after each step, so that nothing is ever put off. */
class Twin {
  now = 1_000
  readonly books: Books
  readonly slots: Map<string, Slot> = new Map()
  readonly held: string[] = []
  readonly shared: string[] = []
  readonly #settled: boolean
  readonly #dead: Set<string> = new Set()
  #log: string[] = []

  constructor(limits: Partial<BooksLimits>, shards: number, endpoints: number, settled: boolean) {
    this.#settled = settled
    this.books = new Books({ ...defaults, ...limits }, (slot) => !this.#dead.has(nameOf(slot)), numbers(7))
    this.list(endpoints)
    for (let shard = 0; shard < shards; shard++) this.books.addShard(shard)
    this.books.refill(this.now)
    this.#carryOut()
  }

  list(endpoints: number): void {
    const list = Array.from(
      { length: endpoints },
      (_, number) => ({ endpoint: { transport: 'unix', path: `/${number}` }, weight: 1 }) as const,
    )
    this.books.list(list, this.now)
  }

  slot(names: readonly string[], chance: number): Slot | undefined {
    return this.slots.get(names[chance % Math.max(1, names.length)] ?? '')
  }

  get names(): string[] {
    return [...this.slots.keys()]
  }

  pass(ms: number): void {
    this.now += ms
  }

  /** Whoever is put off at that moment is found dead earlier, which is as good: another test sees to it. */
  die(slot: Slot): void {
    this.books.counts()
    this.#dead.add(nameOf(slot))
  }

  gone(slot: Slot): void {
    const name = nameOf(slot)
    this.books.gone(slot, this.now)
    for (const list of [this.held, this.shared]) for (let at = list.indexOf(name); at >= 0; at = list.indexOf(name)) list.splice(at, 1)
    this.#dead.delete(name)
    this.slots.delete(name)
  }

  ask(kind: WaiterKind): void {
    const waiter: Waiter = { kind, priority: 0, queued: false, waiterNext: undefined, waiterPrev: undefined }
    const slot = this.books.get(waiter, this.now)
    if (slot !== undefined) this.granted(slot, kind)
  }

  granted(slot: Slot, kind: WaiterKind): void {
    this.#log.push(`${kind} ${nameOf(slot)}`)
    ;(kind === 'lease' ? this.held : this.shared).push(nameOf(slot))
  }

  /** Makes a step, and what follows from it. Returns what could be seen of it. */
  play(name: string, chance: number): string[] {
    acts[name]?.(this, chance)
    this.#carryOut()
    if (this.#settled) this.books.counts()
    const log = this.#log
    this.#log = []
    return log
  }

  #carryOut(): void {
    const { effects } = this.books
    for (let index = 0; index < effects.count; index++) {
      const { type, slot, waiter, reason } = effects.at(index)
      this.#log.push(`${type} ${nameOf(slot)} ${reason}`)
      if (type === 'grant' && waiter !== undefined) this.granted(slot, waiter.kind)
      else if (type === 'probe') this.books.ready(slot, this.now)
      else if (type === 'close') this.gone(slot)
      else if (type === 'open') {
        this.slots.set(nameOf(slot), slot)
        this.books.opened(slot, this.now, 0.5)
      }
    }
    effects.clear()
  }

  /** All that is to be known in the end. */
  get account(): unknown {
    const { books, now } = this
    const [counts, load] = [books.counts(), books.load(now)] // first: now nothing is put off any more
    const slots = [...this.slots].map(([name, { state, uses, inFlight, idleSince, idleUntil, worn }]) => {
      return { name, state, uses, inFlight, worn, idle: state === 'idle' ? [idleSince, idleUntil] : undefined }
    })
    return { counts, load, slots, problems: books.check() }
  }
}

function nameOf({ shard, index, serial }: Slot): string {
  return `${shard}/${index}/${serial}`
}

function give(twin: Twin, name: string | undefined, restMs?: number): void {
  const slot = twin.slots.get(name ?? '')
  if (slot === undefined || name === undefined) return
  twin.held.splice(twin.held.indexOf(name), 1)
  twin.books.release(slot, twin.now, restMs)
}

const onSlot = (twin: Twin, names: readonly string[], chance: number, act: (slot: Slot) => void): void => {
  const slot = twin.slot(names, chance)
  if (slot !== undefined) act(slot)
}

const acts: Record<string, (twin: Twin, chance: number) => void> = {
  try: (twin) => {
    const slot = twin.books.tryLease(twin.now)
    if (slot !== undefined) twin.granted(slot, 'lease')
  },
  giveLast: (twin) => give(twin, twin.held.at(-1)),
  give: (twin, chance) => give(twin, twin.held[chance % Math.max(1, twin.held.length)]),
  giveFor: (twin, chance) => give(twin, twin.held.at(-1), 1 + (chance % 30)),
  wait: (twin, chance) => twin.pass(chance % 8),
  long: (twin, chance) => twin.pass(chance),
  lease: (twin) => twin.ask('lease'),
  request: (twin) => twin.ask('request'),
  finish: (twin) => {
    const slot = twin.slots.get(twin.shared.pop() ?? '')
    if (slot !== undefined) twin.books.finish(slot, twin.now)
  },
  use: (twin, chance) => onSlot(twin, twin.held, chance, (slot) => twin.books.use(slot)),
  handler: (twin, chance) => onSlot(twin, twin.held, chance, (slot) => twin.books.markHandler(slot, !slot.handler)),
  keepAlive: (twin, chance) => onSlot(twin, twin.names, chance, (slot) => twin.books.keepAlive(slot, 5 + (chance % 40), twin.now)),
  die: (twin, chance) => onSlot(twin, twin.names, chance, (slot) => twin.die(slot)),
  gone: (twin, chance) => onSlot(twin, twin.names, chance, (slot) => twin.gone(slot)),
  close: (twin, chance) => onSlot(twin, twin.names, chance, (slot) => twin.books.close(slot, 'abort', twin.now)),
  sweep: (twin) => void twin.books.sweep(twin.now),
  pause: (twin) => twin.books.pause(true, twin.now),
  resume: (twin) => twin.books.pause(false, twin.now),
  resize: (twin, chance) => twin.books.resize(1 + (chance % 6), 0, twin.now),
  recycle: (twin) => twin.books.recycle(undefined, twin.now),
  refill: (twin) => twin.books.refill(twin.now),
  list: (twin, chance) => twin.list(1 + (chance % 2)),
  suspect: (twin, chance) => twin.books.suspectShard(chance % 2, chance % 3 === 0, twin.now),
}

/** The short way round comes often, all the rest now and then. */
const often = fc.constantFrom('try', 'try', 'try', 'giveLast', 'giveLast', 'giveLast', 'give', 'wait', 'use')
const history = fc.array(fc.tuple(fc.oneof({ weight: 6, arbitrary: often }, fc.constantFrom(...Object.keys(acts))), fc.nat(999)), {
  maxLength: 200,
  size: 'max',
})
const pools = fc.record({
  shards: fc.integer({ min: 1, max: 3 }),
  endpoints: fc.integer({ min: 1, max: 2 }),
  maxConnections: fc.integer({ min: 1, max: 5 }),
  minConnections: fc.integer({ min: 0, max: 3 }),
  minIdle: fc.constantFrom(0, 0, 0, 1),
  maxIdle: fc.constantFrom(0, 1, 100),
  pipelining: fc.constantFrom(1, 4),
  scheduling: fc.constantFrom('lifo' as const, 'lifo' as const, 'fifo' as const),
  probeAfterIdleMs: fc.constantFrom(5, Number.POSITIVE_INFINITY),
  idleTimeoutMs: fc.constantFrom(30, Number.POSITIVE_INFINITY),
  maxLifetimeMs: fc.constantFrom(60, Number.POSITIVE_INFINITY),
  maxUses: fc.constantFrom(3, Number.POSITIVE_INFINITY),
})

test('whether it is put off or not, every step does the same, and in the end everything is the same', async () => {
  let put = 0
  const property = fc.property(pools, history, ({ shards, endpoints, ...limits }, steps) => {
    const { minConnections, maxConnections, minIdle, maxIdle } = limits // options keep the one below the other
    const whole = { ...limits, minConnections: Math.min(minConnections, maxConnections), minIdle: Math.min(minIdle, maxIdle) }
    const [settled, lazy] = [true, false].map((each) => new Twin(whole, shards, endpoints, each)) as [Twin, Twin] // two went in
    for (const [name, chance] of steps) {
      assert.equal(lazy.play(name, chance), settled.play(name, chance), `${name} ${chance}`)
      for (const [slot, { state }] of lazy.slots) if (state !== settled.slots.get(slot)?.state) put++
    }
    assert.equal(lazy.account, settled.account)
    assert.equal((lazy.account as { problems: string[] }).problems, [])
  })
  await fc.assert(property, { numRuns: RUNS })
  assert.ok(put > RUNS / 4, `${put} times it was put off`)
})

test('whoever asks again is given what it has just given back, without its being idle meanwhile', () => {
  const rig = new Rig({ maxConnections: 2 })
  const [slot] = [rig.leased(), rig.leased()]
  const { books } = rig
  for (const held of [...rig.held.keys()]) rig.release(held)
  const first = books.tryLease(rig.now)
  rig.now += 5
  books.release(first as Slot, rig.now)
  assert.is(first?.state, 'leased')
  rig.now += 90
  assert.is(books.tryLease(rig.now), first)
  assert.is(first?.uses, 3)
  rig.now += 5
  books.release(first as Slot, rig.now)
  assert.is(books.counts().idle, 2)
  assert.is(first?.state, 'idle')
  assert.ok(slot !== undefined && slot.state === 'idle')
  assert.is(books.load(rig.now).usedMs, 10)
})

test('one that dies after it was given back is not lent again', () => {
  const rig = new Rig({ maxConnections: 1 })
  rig.idle()
  const { books } = rig
  const slot = books.tryLease(rig.now) as Slot // it is idle
  books.release(slot, rig.now)
  assert.is(books.tryLease(rig.now), slot)
  books.release(slot, rig.now)
  rig.die(slot)
  assert.is(books.tryLease(rig.now), undefined)
  assert.is(slot.state, 'closing')
  assert.equal(books.check(), [])
})

test('whatever changes what is to be lent comes between: a waiter, a pause, a server that keeps it for a time', () => {
  const rig = new Rig({ maxConnections: 1, probeAfterIdleMs: 50, maxUses: 9 })
  rig.idle()
  const { books } = rig
  const lendAndGive = (): Slot => {
    const slot = books.tryLease(rig.now) as Slot // it is idle
    books.release(slot, rig.now)
    return slot
  }
  const slot = lendAndGive()
  rig.pause(true)
  assert.is(books.tryLease(rig.now), undefined)
  rig.pause(false)
  lendAndGive()
  rig.now += 50
  assert.is(books.tryLease(rig.now), undefined, 'it needs a probe')
  rig.request()
  rig.ready(slot)
  rig.finish(slot)
  lendAndGive()
  books.keepAlive(slot, 10, rig.now)
  rig.now += 10
  assert.is(books.tryLease(rig.now), undefined, 'its server has closed it')
  assert.is(slot.state, 'closing')
})

test.run()
