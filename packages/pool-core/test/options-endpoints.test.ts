import * as assert from 'uvu/assert'
import { suite } from '../../pool-worker/test/kit/kit.ts'
import { readOptions } from '../src/options.ts'
import { complaint } from './support/refusals.ts'

const test = suite('options of endpoints')
const endpoint = 'tcp://127.0.0.1:6379'

test('a list of endpoints is copied, those without a weight get 1, and one that is listed twice gets both weights', () => {
  const listed = { endpoint: 'tls://H:1', weight: 3 }
  const list = [listed, 'unix:/a', { transport: 'tls', host: 'h', port: 1 }, { transport: 'tls', host: 'h', port: 1, servername: 'x' }]
  const settings = readOptions({ endpoint: list, tls: {} })
  list.length = 0
  listed.weight = 5
  assert.equal(settings.endpoint, [
    { endpoint: { transport: 'tls', host: 'H', port: 1 }, weight: 4 },
    { endpoint: { transport: 'unix', path: '/a' }, weight: 1 },
    { endpoint: { transport: 'tls', host: 'h', port: 1, servername: 'x' }, weight: 1 },
  ])
})

test('lists that are still to come are kept as they are: they may be long enough for any limit, and of tls', () => {
  async function* lists() {
    yield [endpoint]
  }
  const endpoints = lists()
  assert.is(readOptions({ endpoint: endpoints, tls: {}, minConnections: 5, maxPerEndpoint: 2 }).endpoint, endpoints)
})

test('ejection.maxMs that is not given is never below baseMs', () => {
  assert.is(readOptions({ endpoint, ejection: { baseMs: 400_000 } }).ejection.maxMs, 400_000)
})

test('what contradicts maxPerEndpoint and ejection is refused', () => {
  const cases: [Record<string, unknown>, RegExp][] = [
    [{ maxPerEndpoint: 11 }, /^maxPerEndpoint: must be at most maxConnections \(10\), not 11$/],
    [{ minConnections: 3, maxPerEndpoint: 2 }, /^minConnections: must be at most maxPerEndpoint for each endpoint \(2\), not 3$/],
    [{ endpoint: ['unix:/a', 'unix:/b'], minConnections: 5, maxPerEndpoint: 2 }, /^minConnections: .* \(4\), not 5$/],
    [{ ejection: { baseMs: 5, maxMs: 4 } }, /^ejection.baseMs: must be at most ejection.maxMs \(4\), not 5$/],
  ]
  for (const [options, message] of cases)
    assert.match(
      complaint(() => readOptions({ endpoint, ...options })),
      message,
    )
})

test.run()
