import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import * as assert from 'uvu/assert'
import { suite, until } from '../../packages/pool-worker/test/kit/kit.ts'
import { type Compiled, compileC, compileGo } from '../src/native/compile.ts'
import { startProgram } from '../src/native/program.ts'
import { Cleanup } from '../src/process/cleanup.ts'
import { startEchoServer } from '../src/servers/echo.ts'
import { optional } from './support/optional.ts'

const test = suite('programs that are no Node')

const whyOf = (compiled: Compiled) => ('why' in compiled ? compiled.why : undefined)
const server = await compileC('epoll', 'echo-server')
const testWithC = optional(test, server)
const path = 'path' in server ? server.path : ''
const programs = await mkdtemp(join(tmpdir(), 'cenote-native-'))
test.after(() => rm(programs, { recursive: true, force: true }))

const BLOCK = 65_536
const NOWHERE = { platform: 'linux', env: { PATH: '/nowhere' }, programs } as const

test('a compiler that is not there is named, with how to get it', async () => {
  assert.match(whyOf(await compileC('epoll', 'echo-server', NOWHERE)) ?? '', /no C compiler was found.*apt-get install gcc/)
  assert.match(whyOf(await compileGo('channel-pool', NOWHERE)) ?? '', /go was not found.*apt-get install golang-go/)
})

test('what cannot be compiled says what the compiler said, in one line', async () => {
  const why = whyOf(await compileC('epoll', 'echo-server', { ...NOWHERE, env: { PATH: process.env.PATH, CC: 'node' } })) ?? ''
  assert.match(why, /^node could not compile it: .*bad option/)
  assert.is(why.split('\n').length, 1)
})

test('the programs in C are for Linux alone', async () => {
  assert.match(whyOf(await compileC('epoll', 'echo-server', { ...NOWHERE, platform: 'darwin' })) ?? '', /needs epoll, which only Linux has/)
})

testWithC('a program is compiled once: the second time no compiler is needed', async () => {
  const compiled = await compileC('epoll', 'echo-server', { platform: 'linux', env: process.env, programs })
  assert.is(whyOf(compiled), undefined)
  assert.equal(await compileC('epoll', 'echo-server', NOWHERE), compiled)
})

testWithC('CC may have arguments', async () => {
  const env = { ...process.env, CC: 'cc -DNOTHING' }
  assert.is(whyOf(await compileC('epoll', 'echo-client', { platform: 'linux', env, programs })), undefined)
})

test('a program that cannot be started says so to whoever waits for a line', async () => {
  const program = startProgram('/nowhere/at-all', [], 'the program')
  const error = await program.line().catch((thrown: unknown) => thrown)
  assert.match(String(error), /the program: .*ENOENT/)
  await program.stop()
})

test('a program that ends instead of answering is told with its exit code and what it said', async () => {
  const program = startProgram(
    process.execPath,
    ['-e', 'console.log("ready"); console.error("no luck"); process.exitCode = 3'],
    'the program',
  )
  assert.is(await program.line(), 'ready')
  const error = await program.ask('anything').catch((thrown: unknown) => thrown)
  assert.match(String(error), /the program ended \(exit code 3\) no luck/)
  await program.stop()
})

for (const prefer of ['c', 'node'] as const) {
  const testWith = prefer === 'c' ? testWithC : test

  testWith(`${prefer}: each of many clients gets its own bytes back`, async () => {
    const cleanup = new Cleanup()
    try {
      const { port, name } = await startEchoServer(cleanup, { prefer })
      assert.is(name, prefer === 'c' ? 'C epoll echo server' : 'Node echo server')
      const sockets = Array.from({ length: 200 }, () => connect(port, '127.0.0.1'))
      await Promise.all(sockets.map((socket, index) => echo(socket, Buffer.from(`client ${index}`.repeat(9)))))
      for (const socket of sockets) socket.destroy()
    } finally {
      await cleanup.run()
    }
  })

  testWith(`${prefer}: a client that reads only after it has sent megabytes loses none of them, and its end comes after them`, async () => {
    const cleanup = new Cleanup()
    try {
      const { port } = await startEchoServer(cleanup, { prefer })
      const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
      const sent = Buffer.from(Array.from({ length: 9_000_000 }, (_, index) => index % 251))
      socket.pause()
      let taken = 0
      for (let at = 0; at < sent.length; at += BLOCK) socket.write(sent.subarray(at, at + BLOCK), () => taken++)
      socket.end()
      const chunks: Buffer[] = []
      await until(() => taken > 0, 'some of it is on its way')
      for await (const chunk of socket) chunks.push(chunk as Buffer) // no encoding is set
      assert.ok(Buffer.concat(chunks).equals(sent))
    } finally {
      await cleanup.run()
    }
  })

  testWith(`${prefer}: one who went away with a reply waiting leaves the server to the others`, async () => {
    const cleanup = new Cleanup()
    try {
      const { port } = await startEchoServer(cleanup, { prefer })
      const rude = connect(port, '127.0.0.1')
      let taken = 0
      rude.pause()
      for (let count = 0; count < 100; count++) rude.write(Buffer.alloc(BLOCK), () => taken++)
      await until(() => taken > 0, 'some of it is on its way')
      rude.resetAndDestroy()
      const socket = connect(port, '127.0.0.1')
      await echo(socket, Buffer.from('still there'))
      socket.destroy()
    } finally {
      await cleanup.run()
    }
  })

  testWith(`${prefer}: the server is gone once its clean-up is done`, async () => {
    const cleanup = new Cleanup()
    const { pid } = await startEchoServer(cleanup, { prefer })
    process.kill(pid, 0)
    await cleanup.run()
    assert.throws(() => process.kill(pid, 0), /ESRCH/)
  })
}

testWithC('the server in C ends when the program that started it is killed', async () => {
  const code = `require('node:child_process').spawn(process.argv[1], { stdio: ['pipe', 'inherit', 'inherit'] })`
  const parent = spawn(process.execPath, ['-e', code, path], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [port] = await once(createInterface({ input: parent.stdout }), 'line')
  const socket = connect(Number(port), '127.0.0.1')
  await echo(socket, Buffer.from('here'))
  parent.kill('SIGKILL')
  await once(socket, 'close')
})

/** Sends bytes and waits until they are back. */
async function echo(socket: ReturnType<typeof connect>, sent: Buffer): Promise<void> {
  socket.write(sent)
  let received = Buffer.alloc(0)
  while (received.length < sent.length) {
    const [chunk] = await once(socket, 'data')
    received = Buffer.concat([received, chunk as Buffer]) // no encoding is set
  }
  assert.equal(received.toString(), sent.toString())
}

test.run()
