import { endpointKey, PoolError, parseEndpoint, printEndpoint } from '@cenote/pool-worker'
import * as assert from 'uvu/assert'
import { suite } from '../../pool-worker/test/kit/kit.ts'

const test = suite('endpoint')

function complaint(input: unknown): string {
  try {
    parseEndpoint(input)
  } catch (error) {
    if (!PoolError.is(error)) throw error
    assert.is(error.code, 'BAD_OPTION')
    assert.match(error.message, /^endpoint: /)
    return error.message
  }
  throw new Error(`was accepted: ${JSON.stringify(input)}`)
}

test('the three forms are read', () => {
  assert.equal(parseEndpoint('tcp://localhost:6379'), { transport: 'tcp', host: 'localhost', port: 6379 })
  assert.equal(parseEndpoint('tls://db.example:1'), { transport: 'tls', host: 'db.example', port: 1 })
  assert.equal(parseEndpoint('unix:/run/a b.sock'), { transport: 'unix', path: '/run/a b.sock' })
  assert.equal(parseEndpoint('unix:///run/a.sock'), { transport: 'unix', path: '/run/a.sock' })
  assert.equal(parseEndpoint('tcp://[::1]:65535'), { transport: 'tcp', host: '::1', port: 65_535 })
  assert.equal(parseEndpoint('tcp://[fe80::1%eth0]:1'), { transport: 'tcp', host: 'fe80::1%eth0', port: 1 })
})

test('objects of the type are read and copied', () => {
  const given = { transport: 'tls', host: '::1', port: 1, servername: 'db.example' }
  const endpoint = parseEndpoint(given)
  given.host = 'other'
  assert.equal(endpoint, { transport: 'tls', host: '::1', port: 1, servername: 'db.example' })
  assert.ok(Object.isFrozen(endpoint))
  assert.equal(parseEndpoint({ transport: 'unix', path: '/a' }), { transport: 'unix', path: '/a' })
})

test('what is printed is read back', () => {
  for (const text of ['tcp://localhost:1', 'tls://[::1]:2', 'unix:/run/a.sock']) assert.is(printEndpoint(parseEndpoint(text)), text)
})

test('a key tells apart what is not interchangeable', () => {
  const key = (input: unknown): string => endpointKey(parseEndpoint(input))
  const different = ['tcp://h:1', 'tcp://h:2', 'tls://h:1', 'unix:/h', 'unix:/H', { transport: 'tls', host: 'h', port: 1, servername: 's' }]
  assert.is(new Set(different.map(key)).size, different.length)
  assert.is(key('tcp://HOST:1'), key('tcp://host:1'))
})

test('other schemes are refused, redis:// with what to use instead', () => {
  assert.match(complaint('redis://h:1'), /tcp:\/\/host:port.*resp\(\)/)
  assert.match(complaint('rediss://h:1'), /resp\(\)/)
  for (const input of ['http://h:1', 'localhost:6379', '', '//h:1', 'TCP://h:1', 'tcp:/h:1']) complaint(input)
})

test('bad hosts and ports are refused', () => {
  for (const host of ['', ' ', 'a b', 'a\0b', 'a\r\nb', 'a/b', 'a?b', 'a#b', '[::1', '::1', '[::g]', '[]', 'x'.repeat(254)])
    complaint(`tcp://${host}:1`)
  for (const port of ['', ':', ':0', ':65536', ':-1', ':1.5', ':x', ':1x', ': 1', ':99999999999999999999', ':1/0', ':1?a'])
    complaint(`tcp://h${port}`)
  for (const port of [0, -1, 1.5, Number.NaN, Infinity, '1', null, undefined]) complaint({ transport: 'tcp', host: 'h', port })
  for (const host of ['', 'a\nb', '[::1]', 'a:b', 5, null, undefined]) complaint({ transport: 'tcp', host, port: 1 })
})

test('bad paths are refused', () => {
  for (const path of ['', 'a', './a', '//a', '/a\0b', `/${'x'.repeat(107)}`, `/${'ü'.repeat(54)}`]) complaint(`unix:${path}`)
  assert.is(parseEndpoint(`unix:/${'x'.repeat(106)}`).transport, 'unix')
})

test('credentials in the address are refused without printing them', () => {
  const inputs = [
    'tcp://u:hunter2@h:1',
    'tcp://hunter2@h:1',
    'tls://:hunter2@[::1]:1',
    { transport: 'tcp', host: 'h', port: 1, password: 'hunter2' },
  ]
  for (const input of inputs) {
    const message = complaint(input)
    assert.match(message, /credentials/)
    assert.not.match(message, 'hunter2')
  }
})

test('objects of another shape are refused', () => {
  for (const input of [
    {},
    { host: 'h', port: 1 },
    { transport: 'tcp', host: 'h', port: 1, weight: 1 },
    { transport: 'unix', path: '/a', port: 1 },
  ])
    complaint(input)
  complaint({ transport: 'tcp', host: 'h', port: 1, servername: 's' })
  complaint(Object.create({ transport: 'tcp', host: 'h', port: 1 }))
})

test('an array is refused: it is one endpoint', () => {
  for (const input of [['tcp://a:1', 'tcp://b:1'], ['tcp://a:1'], []]) assert.match(complaint(input), /one endpoint/)
})

test.run()
