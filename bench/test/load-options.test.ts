import * as assert from 'uvu/assert'
import { suite } from '../../packages/pool-worker/test/kit/kit.ts'
import { HELP } from '../src/load/help.ts'
import { type LoadOrder, readOrder } from '../src/load/options.ts'
import { refused } from './support/refused.ts'

const test = suite('the options of load')

const order = (...args: string[]): LoadOrder => {
  const read = readOrder(args, () => 0.5)
  if (read === undefined) throw new Error('taken for --help')
  return read
}
const optionsOf = (...args: string[]) => order('tcp://h:1', ...args).options
const error = (...args: string[]) => refused(() => readOrder(args, () => 0.5))
const wrong = (...args: string[]) => error('tcp://h:1', ...args)

test('what is not said has a default', () => {
  const { options, out, json, assert: demanded } = order('tcp://h:1', '--shards', '2')
  assert.equal(options, {
    protocol: 'raw',
    command: ['GET', '{key}'],
    keys: 1_024,
    handler: undefined,
    input: undefined,
    payload: 64,
    replyBytes: 64,
    prefixBytes: 4,
    connections: 16,
    shards: 2,
    pipelining: undefined,
    callers: 16,
    thinkMs: 0,
    rate: undefined,
    arrivals: 'constant',
    seed: 2 ** 31,
    durationMs: 10_000,
    warmupMs: 1_000,
    timeoutMs: 5_000,
    ca: undefined,
    servername: undefined,
    insecure: false,
  })
  assert.equal([out, json, demanded], [undefined, false, false])
})

test('times have units, sizes may have', () => {
  const { durationMs, warmupMs, timeoutMs, payload, replyBytes } = optionsOf(
    ...['--duration', '1.5m', '--warmup', '0', '--timeout', '250ms', '--payload', '4k', '--reply-bytes', '1MiB'],
  )
  assert.equal([durationMs, warmupMs, timeoutMs, payload, replyBytes], [90_000, 0, 250, 4_096, 1_048_576])
})

test('redis:// speaks RESP, with the database and the credentials of the address, which are not printed', () => {
  const { address, options } = order('redis://user:s3cret@localhost/3')
  assert.is(options.protocol, 'resp')
  assert.equal(address, {
    text: 'redis://localhost:6379/3',
    endpoint: { transport: 'tcp', host: 'localhost', port: 6379 },
    transport: 'tcp',
    redis: true,
    credentials: { username: 'user', password: 's3cret' },
    database: 3,
  })
  assert.equal(order('rediss://[::1]:7000').address.endpoint, { transport: 'tls', host: '::1', port: 7000 })
  assert.is(order('rediss://[::1]:7000').address.text, 'rediss://[::1]:7000')
})

test('with a rate nobody waits for a reply: there are no callers', () => {
  const { callers, rate, arrivals, seed } = optionsOf('--rate', '100..200', '--arrivals', 'poisson', '--seed', '7')
  assert.equal([callers, rate, arrivals, seed], [undefined, { shape: 'ramp', rates: [100, 200] }, 'poisson', 7])
})

test('an address that cannot be used says which can', () => {
  assert.match(error(), /^which server\? .*tcp:\/\/host:port.*--help/s)
  assert.match(error('localhost:6379'), /^the address has no scheme; it is one of tcp:/)
  assert.match(error('http://h:1'), /^http: is not supported; the address is one of tcp:/)
  assert.match(error('redis:///x'), /no host/)
  assert.match(error('redis://h/abc'), /the database must be a number, not "abc"/)
  assert.match(error('tcp://h:1', 'tcp://h:2'), /^one address at a time, not 2: tcp:\/\/h:2 is too much/)
})

test('a password in an address that is refused is not repeated', () => {
  for (const address of ['http://u:s3cret@h:1', 'redis://u:s3cret@h/abc', 'mysql://u:s3cret@h']) assert.not.match(error(address), /s3cret/)
})

test('a flag that is not known is named, with the one that was meant', () => {
  assert.match(wrong('--conections', '4'), /^unknown flag --conections; did you mean --connections\?/)
  assert.match(wrong('--rat=5'), /^unknown flag --rat; did you mean --rate\?/)
  assert.match(wrong('--xylophone'), /^unknown flag --xylophone\nSee npm run bench -- load --help$/)
  assert.match(wrong('-x'), /^unknown flag -x/)
})

test('a flag without its value, with one too many, or twice is named', () => {
  assert.match(wrong('--rate'), /^--rate needs a value/)
  assert.match(wrong('--rate', '--json'), /^--rate needs a value/)
  assert.match(wrong('--payload='), /^--payload needs a value/)
  assert.match(wrong('--json=yes'), /^--json takes no value/)
  assert.match(wrong('--rate', '5', '--rate', '6'), /^--rate was given twice/)
})

test('a value of the wrong kind is told what it may be', () => {
  for (const value of ['30', 'soon', '-1s', '0', '10ms', '25h', 's'])
    assert.match(wrong(`--duration=${value}`), /^--duration must be a time such as 500ms, 30s or 2m, from 100ms to 24h, not "/)
  for (const value of ['0', '1.5', '-1', 'all', '65537', 'NaN'])
    assert.match(wrong(`--connections=${value}`), /^--connections must be a whole number from 1 to 65,536, not "/)
  for (const value of ['0', '4kk', '-4', '1g', '65m'])
    assert.match(wrong(`--payload=${value}`), /^--payload must be a number of bytes such as 64, 4k/)
  assert.match(wrong('--protocol', 'http'), /^--protocol must be resp, line, length-prefixed, fixed or raw, not "http"/)
  assert.match(wrong('--rate', '5', '--arrivals', 'bursty'), /^--arrivals must be constant or poisson, not "bursty"/)
  assert.match(wrong('--protocol', 'length-prefixed', '--prefix-bytes', '3'), /^--prefix-bytes must be 1, 2 or 4, not "3"/)
  assert.match(wrong('--timeout', '1ms'), /^--timeout must be a time .* from 10ms to 1h/)
  assert.match(wrong('--think', '2h'), /^--think must be a time .* from 0 to 1h/)
  assert.match(wrong('--shards', '65'), /^--shards must be a whole number from 0 to 64/)
})

test('a flag that would do nothing is refused', () => {
  assert.match(wrong('--rate', '5', '--callers', '2'), /^--callers goes with a closed loop/)
  assert.match(wrong('--rate', '5', '--think', '2ms'), /^--think goes with a closed loop/)
  assert.match(wrong('--arrivals', 'poisson'), /^--arrivals goes with an open loop: give --rate too/)
  assert.match(wrong('--seed', '1'), /^--seed goes with an open loop/)
  assert.match(wrong('--command', 'PING'), /^--command goes with --protocol resp/)
  assert.match(wrong('--keys', '9'), /^--keys goes with --protocol resp/)
  assert.match(wrong('--protocol', 'line', '--reply-bytes', '9'), /^--reply-bytes goes with --protocol raw/)
  assert.match(wrong('--prefix-bytes', '2'), /^--prefix-bytes goes with --protocol length-prefixed/)
  assert.match(wrong('--pipelining', '2'), /^--pipelining goes with a protocol that knows where replies end/)
  for (const flag of ['--ca=x', '--servername=x', '--insecure']) assert.match(wrong(flag), /goes with an address tls:\/\/host:port/)
})

test('a handler is a module and a function in it, and goes with what it is given, not with what is sent', () => {
  const { handler, input } = optionsOf('--protocol', 'line', '--handler', './a/b.js#total', '--input', '{"day":1}')
  assert.equal([handler, input], [{ module: './a/b.js', name: 'total' }, { day: 1 }])
  assert.match(
    wrong('--handler', 'total'),
    /^--handler must be a module and the function in it, such as \.\/reports\.js#total, not "total"/,
  )
  assert.match(wrong('--handler', 'a.js#f', '--input', '{'), /^--input must be JSON, such as/)
  assert.match(wrong('--input', '1'), /^--input goes with --handler/)
  assert.match(wrong('--handler', 'a.js#f', '--payload', '9'), /^--payload goes with requests; what a handler is given is --input/)
  assert.match(error('redis://h', '--handler', 'a.js#f', '--keys', '9'), /^--keys goes with requests; a handler/)
})

test('flags that contradict each other, or the number of connections, are refused', () => {
  assert.match(error('tls://h:1', '--ca', 'x', '--insecure'), /^--insecure verifies nothing/)
  assert.match(wrong('--json', '--out', 'x'), /^--json prints to standard output, --out writes a file/)
  assert.match(wrong('--shards', '3', '--connections', '2'), /^--shards 3 is more than there are connections \(2\)/)
  assert.match(error('redis://h', '--command', '  '), /^--command needs a command/)
  assert.match(error('redis://h', '--keys', '100000', '--payload', '1m'), /^--keys 100000 of --payload 1048576 bytes are more than 1 GiB/)
})

test('--help goes before everything that is wrong, and tells of each flag', () => {
  assert.is(
    readOrder(['--help', '--rate', 'x'], () => 0),
    undefined,
  )
  assert.is(
    readOrder(['-h'], () => 0),
    undefined,
  )
  for (const flag of ['rate', 'arrivals', 'callers', 'think', 'connections', 'shards', 'pipelining', 'payload', 'keys', 'command'])
    assert.match(HELP, new RegExp(`--${flag} <`))
  assert.ok(HELP.split('\n').every((line) => line.length <= 110))
})

test.run()
