import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { closing, echo, listen, startPeer } from '../../packages/pool-core/test/support/peers.ts'
import { suite, until } from '../../packages/pool-worker/test/kit/kit.ts'
import { Store, serve } from '../src/servers/resp-server.ts'
import { loadCommand, loadOnce, resultIn, startLoad } from './support/load.ts'

const test = suite('npm run bench -- load')
const closed = closing(test)

const SHORT = ['--duration', '200ms', '--warmup', '0', '--connections', '2', '--shards', '1']

test('--json prints the result, with everything that it depends on, and nothing else', async () => {
  const peer = await closed(startPeer(echo))
  const said = await loadCommand(peer.endpoint, ...SHORT, '--protocol', 'line', '--rate', '500', '--seed', '9', '--json')
  assert.is(said.exitCode, 0, said.stderr)
  const result = resultIn(said)
  assert.equal([result.schemaVersion, result.kind, result.loop, result.interrupted], [1, 'load', 'open', false])
  assert.equal(result.server, { address: peer.endpoint, transport: 'tcp' })
  const { options, environment } = result
  assert.equal([options.seed, options.protocol, options.connections, options.timeoutMs], [9, 'line', 2, 5_000])
  assert.equal(options.rate, { shape: 'constant', rates: [500] })
  assert.equal(Object.keys(environment.packages), ['@cenote/pool-core', '@cenote/pool-worker', 'piscina', 'echarts'])
  assert.is(environment.node, process.versions.node)
  assert.ok(environment.cores > 0 && environment.memoryBytes > 0 && environment.cpu !== '')
  assert.equal([result.requests, result.succeeded, result.failed, result.unfinished], [100, 100, 0, 0])
  assert.equal(Object.keys(result.late), ['count', 'meanMs', 'maxMs'])
  for (const latency of [result.response, result.wait, result.service]) {
    assert.is(latency.count, 100)
    const { minMs, p50Ms, p75Ms, p90Ms, p99Ms, p999Ms, p9999Ms, maxMs } = latency
    const rising = [minMs, p50Ms, p75Ms, p90Ms, p99Ms, p999Ms, p9999Ms]
    assert.equal(
      rising.toSorted((a, b) => a - b),
      rising,
    )
    assert.ok(maxMs > 0 && latency.curve.at(-1)?.[0] === 100)
  }
  assert.ok(result.requestsPerSecond > 0 && result.bytesSentPerSecond > 0 && result.bytesReceivedPerSecond > 0)
  assert.ok(result.peakRssBytes > 1_000_000)
  assert.equal(Object.keys(result.mainThreadCollections), ['count', 'totalMs', 'maxMs'])
  assert.is(result.usage.shards.length, 1)
  assert.is(result.poolCounters.opened, 2)
  for (const row of result.timeline) assert.ok(row.elapsedMs > 0 && row.rssBytes > 0 && row.shardUtilization.length === 1)
})

test('without --json there are tables for people, and JSON and charts in files', async () => {
  const peer = await closed(startPeer(echo))
  const folder = mkdtempSync(join(tmpdir(), 'cenote-load-'))
  try {
    const file = join(folder, 'new', 'echo.json')
    const { exitCode, stdout, stderr } = await loadCommand(peer.endpoint, ...SHORT, '--out', file)
    assert.is(exitCode, 0, stderr)
    assert.match(
      stdout,
      /^tcp:\/\/127\.0\.0\.1:\d+: 64 bytes out, 64 back, over a lease's stream\nclosed loop, 2 callers; 2 connections in 1 shard/,
    )
    assert.match(stdout, /milliseconds +p50 +p75 +p90 +p99 +p99\.9 +p99\.99 +max +mean +requests\n/)
    assert.match(stdout, /\nresponse .*\n {2}wait .*\n {2}service /)
    assert.match(stdout, /requests\/s; .* sent, .* received/)
    assert.match(stdout, /succeeded, none failed\nbusy event loops: main thread .*; shard 0 /)
    assert.match(stdout, /\nResponse times\n {2}up to /)
    assert.match(stdout, /\nOver [\d.]+ s\n {2}requests\/s +[▁▂▃▄▅▆▇█]+ /)
    assert.match(stdout, /Results: .*echo\.json, .*echo\.latency\.svg, .*echo\.timeline\.svg\n$/)
    assert.is(JSON.parse(readFileSync(file, 'utf8')).kind, 'load')
    for (const chart of ['latency', 'timeline'])
      assert.match(readFileSync(file.replace('json', `${chart}.svg`), 'utf8'), /^<svg .*polyline|path/s)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

test('--assert is for scripts: it fails when a request did', async () => {
  const store = new Store()
  const { port, server } = await serve(store)
  try {
    const address = `redis://127.0.0.1:${port}`
    const bad = await loadCommand(address, ...SHORT, '--command', 'NONSENSE {key}', '--json', '--assert')
    assert.is(bad.exitCode, 2) // the first request shows it
    assert.match(bad.stderr, /can be reached, but a first request failed: .*unknown command/)
    const good = await loadCommand(address, ...SHORT, '--json', '--assert')
    assert.equal([good.exitCode, resultIn(good).failed], [0, 0])
  } finally {
    server.close()
  }
  const peer = await closed(startPeer(failingAfter(5)))
  const failed = await loadCommand(peer.endpoint, ...SHORT, '--json', '--assert')
  assert.is(failed.exitCode, 1)
  const { errors, failure } = resultIn(failed)
  assert.ok((errors['wrong reply'] ?? 0) + (errors.CONNECTION_LOST ?? 0) > 0, JSON.stringify(errors)) // its end, or its RST
  assert.ok(failure.count > 0)
})

test('a server that is not there is said so, with the cause', async () => {
  const server = createServer()
  const port = await listen(server)
  await new Promise((resolve) => server.close(resolve))
  const { exitCode, stdout, stderr } = await loadCommand(`tcp://127.0.0.1:${port}`)
  assert.equal([exitCode, stdout], [2, ''])
  assert.is(stderr, `npm run bench: tcp://127.0.0.1:${port} cannot be reached: cannot connect: connect ECONNREFUSED 127.0.0.1:${port}\n`)
})

test('a server that lets in fewer connections than asked for is said so', async () => {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined)
    echo(socket)
    if (server.listening) server.close()
  })
  const port = await listen(server)
  const { exitCode, stderr } = await loadCommand(`tcp://127.0.0.1:${port}`, '--connections', '200', '--shards', '1')
  assert.is(exitCode, 2)
  assert.match(stderr, /let in \d+ of 200 connections: .*ECONNREFUSED/)
})

test('a wrong address or certificate file is one line, without a stack', async () => {
  for (const [args, text] of [
    [['tls://h:1', '--ca', '/no/such/file'], /^npm run bench: --ca must be a file with certificates: ENOENT.*\n$/],
    [['tcp://u:s3cret@h:1'], /^npm run bench: endpoint: takes no user or password in the address.*\n$/],
  ] as const) {
    const { exitCode, stdout, stderr } = await loadCommand(...args)
    assert.equal([exitCode, stdout], [2, ''])
    assert.match(stderr, text)
    assert.not.match(stderr, /s3cret/)
  }
})

test('--help is printed', async () => {
  const { exitCode, stdout } = await loadCommand('--help')
  assert.is(exitCode, 0)
  assert.match(stdout, /^Usage: npm run bench -- load <address>/)
})

test('Ctrl-C, which may come twice at once, ends the run: what was measured is told, and the keys are removed', async () => {
  const store = new Store()
  const { port, server } = await serve(store)
  const sockets: Socket[] = []
  server.on('connection', (socket) => sockets.push(socket))
  try {
    const { child, said } = startLoad(`redis://127.0.0.1:${port}`, '--duration', '1h', '--warmup', '0', '--shards', '1', '--json')
    const filling = 1_024 * 200 // bytes, at most
    await until(() => sockets.reduce((sum, { bytesRead }) => sum + bytesRead, 0) > 2 * filling, 'the load is running', 15_000)
    child.kill('SIGINT')
    child.kill('SIGINT') // the terminal tells the group, npm tells its child
    const ended = await said
    assert.is(ended.exitCode, 130)
    assert.match(ended.stderr, /interrupted/)
    const { interrupted, requests, measuredMs, unfinished } = resultIn(ended)
    assert.equal([interrupted, unfinished], [true, 0])
    assert.ok(requests > 0 && measuredMs > 0 && measuredMs < 3_600_000)
    assert.is(store.size, 0)
  } finally {
    server.close()
  }
})

test('Ctrl-C while keys are being filled leaves none behind', async () => {
  const store = new Store()
  const { port, server } = await serve(store)
  try {
    const { child, said } = startLoad(`redis://127.0.0.1:${port}`, '--keys', '300000', '--shards', '1')
    await until(() => store.size > 1_000, 'keys are being filled', 15_000)
    child.kill('SIGINT')
    const { exitCode, stdout, stderr } = await said
    assert.equal([exitCode, stdout, stderr], [130, '', '\ninterrupted\n'])
    assert.is(store.size, 0)
  } finally {
    server.close()
  }
})

test('a server that stands still shows in the response times of all that were due meanwhile, and in the service time of few', async () => {
  const stallMs = 500
  const peer = await closed(startPeer(stallingOnce(40, stallMs)))
  const flags = ['--protocol', 'fixed', '--rate', '400', '--duration', '1s', '--warmup', '0']
  const { tally } = await loadOnce(peer.endpoint, ...flags, '--connections', '1', '--shards', '1', '--pipelining', '1')
  assert.equal([tally.succeeded, tally.failed, tally.unfinished], [400, 0, 0])
  // 200 of 400 were due while it stood still: half of those waited for more than half of that time. A busy machine makes it no less.
  assert.ok(tally.response.p75Ms > stallMs / 2, `response: ${tally.response.p75Ms} ms`)
  assert.ok(tally.wait.p75Ms > stallMs / 2, `wait: ${tally.wait.p75Ms} ms`)
  assert.ok(tally.service.maxMs >= stallMs - 1, `one was on the connection meanwhile: ${tally.service.maxMs} ms`)
  assert.ok(tally.service.p90Ms < stallMs / 2, `the others were not: ${tally.service.p90Ms} ms`)
})

test('what is not answered by the end is waited for until its time-out, and told', async () => {
  const silent = (socket: Socket): void => {
    let asked = 0
    socket.on('data', (chunk: Buffer) => void (asked++ < 3 && socket.write(chunk)))
  }
  const peer = await closed(startPeer(silent))
  const flags = ['--protocol', 'fixed', '--rate', '50', '--duration', '200ms', '--warmup', '0', '--timeout', '300ms']
  const { tally } = await loadOnce(peer.endpoint, ...flags, '--connections', '1', '--shards', '1')
  assert.is(tally.requests, 10)
  assert.is(tally.succeeded + tally.failed + tally.unfinished, 10)
  assert.ok((tally.errors.REQUEST_TIMEOUT ?? 0) > 0, JSON.stringify(tally.errors))
  assert.ok(tally.failure.maxMs >= 290)
})

test('results are written to bench/out by default, by the time of the run', async () => {
  const peer = await closed(startPeer(echo))
  const { stdout } = await loadCommand(peer.endpoint, ...SHORT)
  const [, first = '', ...others] = /Results: (\S+), (\S+), (\S+)\n$/.exec(stdout) ?? []
  assert.match(first, /bench\/out\/load-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.json$/)
  for (const path of [first, ...others]) {
    assert.ok(existsSync(path))
    rmSync(path)
  }
})

test.run()

/** Echoes so many times in all, then ends every connection that says something. */
function failingAfter(count: number): (socket: Socket) => void {
  let left = count
  return (socket) => void socket.on('data', (chunk: Buffer) => void (left-- > 0 ? socket.write(chunk) : socket.destroy()))
}

/** Echoes, but stands still before the answer to one request. */
function stallingOnce(request: number, ms: number): (socket: Socket) => void {
  let [seen, still] = [0, false]
  const held: Buffer[] = []
  return (socket) => {
    const answer = (chunk: Buffer) => void (still ? held.push(chunk) : socket.write(chunk))
    socket.on('data', (chunk: Buffer) => {
      if (++seen === request) {
        still = true
        setTimeout(() => {
          still = false
          for (const each of held.splice(0)) answer(each)
        }, ms)
      }
      answer(chunk)
    })
  }
}
