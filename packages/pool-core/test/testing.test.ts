import { ReplyError } from '@cenote/pool-core/shard'
import { fakeConnection } from '@cenote/pool-core/testing'
import * as assert from 'uvu/assert'
import { suite } from '../../pool-worker/test/kit/kit.ts'
import { count, sum } from './fixtures/session-handlers.ts'

const test = suite('testing')

const signal = new AbortController().signal
const around = { client: undefined, signal, options: undefined, progress: () => undefined }

test('a handler is a plain function: it runs with a connection that answers from a list', async () => {
  const connection = fakeConnection<string, string>(['10', '20', '12'])
  const { total } = await sum([1, 2, 3], { ...around, connection })
  assert.is(total, 42)
  assert.equal(connection.requests, ['1', '2', '3'])
})

test('a connection can answer by a function, which may be asynchronous', async () => {
  const connection = fakeConnection<string, string>(async (request) => `${request}!`)
  const progress: unknown[] = []
  await count(2, { ...around, connection, progress: (value) => progress.push(value) })
  assert.equal(progress, [
    { at: 1, reply: 'step 1!' },
    { at: 2, reply: 'step 2!' },
  ])
})

test('what a handler says of keep-alive is remembered', () => {
  const connection = fakeConnection<string, string>([])
  assert.is(connection.keepAliveMs, undefined)
  connection.keepAlive(5_000)
  assert.is(connection.keepAliveMs, 5_000)
})

test('an Error among the replies rejects, and so does what the function throws or returns as one', async () => {
  const error = new ReplyError('ERR', 'not today')
  const listed = fakeConnection<string, string>([error, 'good'])
  assert.is(await listed.request('a').catch((thrown: unknown) => thrown), error)
  assert.is(await listed.request('b'), 'good')
  const returning = fakeConnection<string, string>(() => error)
  assert.is(await returning.request('a').catch((thrown: unknown) => thrown), error)
  const throwing = fakeConnection<string, string>(() => {
    throw error
  })
  assert.is(await throwing.request('a').catch((thrown: unknown) => thrown), error)
})

test('asked more often than it has replies, it rejects and says so', async () => {
  const connection = fakeConnection<string, string>(['only'])
  assert.is(await connection.request('a'), 'only')
  const error = await connection.request('b').catch((thrown: unknown) => thrown)
  assert.match((error as Error).message, /more often than it has replies/)
  assert.equal(connection.requests, ['a', 'b'])
})

test('replies may come from a generator, which is asked as they are needed', async () => {
  let made = 0
  function* replies(): Generator<number> {
    for (;;) yield ++made
  }
  const connection = fakeConnection<string, number>(replies())
  assert.equal(await Promise.all([connection.request('a'), connection.request('b')]), [1, 2])
  assert.is(made, 2)
})

test.run()
