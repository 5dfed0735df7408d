import type { Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import * as assert from 'uvu/assert'
import { closing, echo, startPeer } from '../../packages/pool-core/test/support/peers.ts'
import { makeCertificates } from '../../packages/pool-worker/test/kit/certificates.ts'
import { haveProgram } from '../../packages/pool-worker/test/kit/children.ts'
import { suite } from '../../packages/pool-worker/test/kit/kit.ts'
import type { Measured } from '../src/load/run.ts'
import { Store, serve } from '../src/servers/resp-server.ts'
import { loadOnce } from './support/load.ts'

const test = suite('load over real sockets')
const closed = closing(test)

const SHORT = ['--duration', '150ms', '--warmup', '20ms', '--connections', '3']
const SHARD = ['--shards', '1']

/** All went well, and all figures are there. */
function good({ tally, timeline, usage, poolCounters }: Measured): void {
  const { requests, succeeded, failed, unfinished, errors, response, wait, service, bytesSent, bytesReceived } = tally
  assert.equal([failed, unfinished, errors], [0, 0, {}])
  assert.ok(requests > 0)
  assert.is(succeeded, requests)
  assert.is(response.count, succeeded)
  assert.ok(wait.count > 0 && service.count === wait.count, `${wait.count} of ${succeeded} looked at`)
  assert.ok(response.maxMs >= response.p50Ms && response.p50Ms > 0)
  assert.ok(bytesSent > 0 && bytesReceived > 0)
  assert.ok(timeline.length >= 2)
  assert.ok(usage.main.utilization > 0)
  assert.equal([poolCounters.opened, poolCounters.closed], [3, 0])
}

test('raw: bytes out and as many back, over streams whose connections are used again', async () => {
  const peer = await closed(startPeer(echo))
  good(await loadOnce(peer.endpoint, ...SHORT, ...SHARD, '--payload', '100'))
  assert.is(peer.accepted, 3)
})

test('raw: an answer of another length', async () => {
  const answer = (socket: Socket) => void socket.on('data', () => socket.write('0123456789'))
  const peer = await closed(startPeer(answer))
  const { tally } = await loadOnce(peer.endpoint, ...SHORT, ...SHARD, '--payload', '4', '--reply-bytes', '10')
  assert.equal([tally.failed, tally.bytesReceived / tally.bytesSent], [0, 2.5])
})

test('raw: an answer that is too long is a failure', async () => {
  let taken = 0
  const answer = (socket: Socket) => void socket.on('data', () => socket.write(++taken === 1 ? 'abcd' : 'abcde'))
  const peer = await closed(startPeer(answer))
  const { tally } = await loadOnce(peer.endpoint, ...SHORT, ...SHARD, '--payload', '4')
  assert.is(tally.succeeded, 0)
  assert.ok((tally.errors['wrong reply'] ?? 0) > 0)
})

for (const protocol of ['line', 'length-prefixed', 'fixed'])
  test(`${protocol}: an echo server, pipelined`, async () => {
    const peer = await closed(startPeer(echo))
    good(await loadOnce(peer.endpoint, ...SHORT, ...SHARD, '--protocol', protocol, '--callers', '12', '--pipelining', '4'))
  })

test('length-prefixed: the length may be shorter', async () => {
  let first: Buffer | undefined
  const peer = await closed(
    startPeer((socket) => {
      socket.once('data', (chunk: Buffer) => {
        first ??= chunk
      })
      echo(socket)
    }),
  )
  good(await loadOnce(peer.endpoint, ...SHORT, ...SHARD, '--protocol', 'length-prefixed', '--prefix-bytes', '2', '--payload', '5'))
  assert.equal(first?.subarray(0, 7).toString('latin1'), '\0\x05xxxxx')
})

test('resp: values are stored, read, verified, and removed', async () => {
  const store = new Store()
  const { port, server } = await serve(store)
  try {
    good(await loadOnce(`redis://127.0.0.1:${port}`, ...SHORT, ...SHARD, '--keys', '300', '--payload', '1000', '--callers', '20'))
    assert.is(store.size, 0)
  } finally {
    server.close()
  }
})

test('resp: a command of your own', async () => {
  const store = new Store()
  const { port, server } = await serve(store)
  try {
    good(await loadOnce(`redis://127.0.0.1:${port}`, ...SHORT, ...SHARD, '--command', 'SET {key} {value}', '--keys', '10'))
    assert.is(store.size, 0)
    const { tally } = await loadOnce(`redis://127.0.0.1:${port}`, ...SHORT, '--command', 'PING', '--shards', '0')
    assert.is(tally.bytesReceived / tally.bytesSent, 1) // PONG
  } finally {
    server.close()
  }
})

test('a handler of your own is called in the shards', async () => {
  const peer = await closed(startPeer(echo))
  const module = fileURLToPath(new URL('fixtures/load-handlers.js', import.meta.url))
  const flags = [...SHORT, ...SHARD, '--protocol', 'line']
  const { tally } = await loadOnce(peer.endpoint, ...flags, '--handler', `${module}#repeat`, '--input', '"hello"')
  assert.equal([tally.failed, tally.unfinished, tally.bytesReceived / tally.bytesSent], [0, 0, 1])
  assert.ok(tally.wait.count > 0)
  for (const [name, text] of [
    ['nothing', /--handler: no function nothing in the module; there are fail, repeat/],
    ['fail', /a first request failed: .*as asked/],
  ] as const)
    await loadOnce(peer.endpoint, ...flags, '--handler', `${module}#${name}`).then(
      () => assert.unreachable(name),
      (error: unknown) => assert.match(String(error), text),
    )
})

test('unix sockets', async () => {
  const peer = await closed(startPeer(echo, { transport: 'unix' }))
  good(await loadOnce(peer.endpoint, ...SHORT, ...SHARD, '--protocol', 'line'))
})

const tls = haveProgram('openssl', 'version') ? test : test.skip

tls('TLS: with the authority given, or without a look at the certificate', async () => {
  const { ca, good: own, remove } = makeCertificates()
  try {
    const peer = await closed(startPeer(echo, { tls: { cert: own.cert, key: own.key } }))
    good(await loadOnce(peer.endpoint, ...SHORT, ...SHARD, '--ca', ca.certFile))
    good(await loadOnce(peer.endpoint, ...SHORT, ...SHARD, '--insecure'))
  } finally {
    remove()
  }
})

test('an open loop sends what the schedule says, on the calling thread too', async () => {
  const peer = await closed(startPeer(echo))
  for (const shards of ['0', '1']) {
    const flags = ['--protocol', 'fixed', '--rate', '100..300', '--duration', '500ms', '--warmup', '100ms']
    const { tally, timeline } = await loadOnce(peer.endpoint, ...flags, '--connections', '2', '--shards', shards)
    assert.equal([tally.requests, tally.failed, tally.unfinished], [100, 0, 0])
    assert.is(tally.wait.count, 100) // so few are all looked at
    const seen = timeline.reduce((sum, row) => sum + row.succeeded, 0)
    assert.ok(seen > 0 && seen <= 100 + 10 + 1)
  }
})

test('the processor time of each shard is told, where the system tells it', async () => {
  const peer = await closed(startPeer(echo))
  const { usage } = await loadOnce(peer.endpoint, ...SHORT, '--shards', '2')
  assert.is(usage.shards.length, 2)
  if (process.platform !== 'linux') return
  for (const { cpuMs, utilization } of [usage.main, ...usage.shards]) {
    assert.ok(cpuMs !== undefined && cpuMs > 0 && cpuMs <= usage.processCpuMs, `${cpuMs} of ${usage.processCpuMs} ms`)
    assert.ok(utilization > 0 && utilization <= 1)
  }
})

test.run()
