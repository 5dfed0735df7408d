/** What goes into handlers and comes out of them: small plain values in frames, all others beside them. For the caller it is the same. */
import { transfer } from '@cenote/pool-core'
import * as assert from 'uvu/assert'
import { rejects, suite, until } from '../../../pool-worker/test/kit/kit.ts'
import { collectUntil } from '../support/collecting.ts'
import { sessionsFor } from '../support/sessions.ts'

const test = suite('values of handlers')
const sessions = sessionsFor(test, { maxConnections: 4 })

for (const shards of [0, 2]) {
  const where = shards === 0 ? 'on the calling thread' : 'in threads'

  test(`${where}: whatever a handler is given and gives back is as its clone`, async () => {
    const pool = await sessions.open({ shards, ringBytes: 4096 })
    const shared = { a: 1 }
    const values = [
      ...[undefined, null, true, 'text', 'ü€😀\ud800', 1.5, -0, Number.NaN, 5n, [], {}, { a: 1, b: 'x', c: null }, [1, 'a', null]],
      ...['x'.repeat(500), 'y'.repeat(1_000), 'z'.repeat(100_000), { a: undefined }, { deep: { deeper: [1] } }, [shared, shared]],
      ...[
        new Date(5),
        new Map([[1, { a: 2 }]]),
        new Uint8Array([1, 2, 3]),
        new RangeError('far'),
        Array.from({ length: 200 }, (_, at) => at),
      ],
    ]
    const got = await Promise.all(values.map((value) => pool.handlers.same(value)))
    assert.equal(got, structuredClone(values))
    const twice = got[values.findIndex((value) => Array.isArray(value) && value[0] === shared)] as unknown[]
    assert.is(twice[0], twice[1], 'one object stays one')
  })

  test(`${where}: each result is of its own moment, and its caller's alone`, async () => {
    const pool = await sessions.open({ shards, maxConnections: 4 })
    await pool.handlers.tallied(true)
    for (const deep of [false, true]) {
      const results = await Promise.all(Array.from({ length: 40 }, () => pool.handlers.tallied(deep)))
      assert.is(new Set(results).size, 40)
      if (shards === 0) assert.is(new Set(results.map((result) => (result as { calls: number }).calls)).size, 40)
      if (deep) assert.is(new Set(results.map((result) => (result as { deep: object }).deep)).size, 40)
    }
  })

  test(`${where}: an input is taken as it is when its handler begins, even if the caller changes it then`, async () => {
    const pool = await sessions.open({ shards, maxConnections: 2, minConnections: 2 })
    await pool.ready()
    for (const make of [(at: number) => ({ at }), (at: number) => ({ at, deep: { at } })]) {
      const input = make(0)
      const first = pool.handlers.same(input)
      Object.assign(input, make(1))
      const second = pool.handlers.same(input)
      assert.equal(await Promise.all([first, second]), [make(0), make(1)])
    }
  })

  test(`${where}: an input can be given away instead of copied, and so can the result`, async () => {
    const pool = await sessions.open({ shards })
    const bytes = new Uint8Array(50_000).fill(7).buffer
    const back = await pool.handlers.passOn(transfer(bytes, [bytes]))
    assert.is(bytes.byteLength, 0)
    assert.equal(new Uint8Array(back), new Uint8Array(50_000).fill(7))
  })

  test(`${where}: an input that cannot be cloned, or be read, fails its own call alone`, async () => {
    const pool = await sessions.open({ shards, maxConnections: 2 })
    const bad = [{ deep: { hook: () => 1 } }, new Proxy({}, {}), Symbol('s')]
    const mixed = bad.flatMap((input, at) => [
      pool.handlers.same(at),
      rejects(pool.handlers.same(input), 'NOT_CLONEABLE'),
      pool.handlers.same({ at }),
    ])
    const results = await Promise.all(mixed)
    for (const at of [0, 1, 2]) {
      assert.is(results[3 * at], at)
      assert.equal(results[3 * at + 2], { at })
    }
    const own = new Error('not today')
    const unreadable = {
      get value(): never {
        throw own
      },
    }
    assert.is(await pool.handlers.same(unreadable).catch((error: unknown) => error), own)
    await until(() => pool.stats().idle === pool.stats().connections, 'each connection is idle again')
    assert.is(pool.stats().counters.closed, 0)
  })

  test(`${where}: a result that cannot be read, or an error that cannot be told, fails its own call alone`, async () => {
    const pool = await sessions.open({ shards: Math.min(shards, 1), maxConnections: 1 })
    for (const how of ['getter', 'late getter'] as const) {
      const [error, other] = await Promise.all([rejects(pool.handlers.awkward(how), 'NOT_CLONEABLE'), pool.handlers.same(how)])
      assert.match(String(error.cause), /not to be read/)
      assert.is(other, how)
    }
    for (const how of ['throw', 'reject'] as const) {
      const [, other] = await Promise.all([rejects(pool.handlers.awkward(how), 'HANDLER_FAILED'), pool.handlers.same(how)])
      assert.is(other, how)
    }
    const { counters } = pool.stats()
    assert.equal([counters.opened, counters.closed], [1, 0])
  })

  test(`${where}: a function with a then is waited for as any promise is`, async () => {
    const pool = await sessions.open({ shards })
    assert.is(await pool.handlers.awkward('callable'), 'called')
  })

  test(`${where}: an input that cannot be read is not kept`, async () => {
    const pool = await sessions.open({ shards })
    const refs = await (async () => {
      const inputs = Array.from({ length: 3 }, () => ({
        get value(): never {
          throw new Error('not to be read')
        },
      }))
      await Promise.allSettled(inputs.map((input) => pool.handlers.same(input)))
      return inputs.map((input) => new WeakRef(input))
    })()
    await collectUntil(() => refs.every((ref) => ref.deref() === undefined), 'nobody holds them')
  })
}

test.run()
