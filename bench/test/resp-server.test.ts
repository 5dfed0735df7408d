import { connect } from 'node:net'
import * as assert from 'uvu/assert'
import { suite } from '../../packages/pool-worker/test/kit/kit.ts'
import { CommandReader } from '../src/servers/commands.ts'
import { Store, serve } from '../src/servers/resp-server.ts'

const test = suite('the small RESP server')

test('commands are the same wherever their bytes are cut', () => {
  const bytes = Buffer.from('*2\r\n$3\r\nGET\r\n$1\r\nk\r\n*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$4\r\na\r\nb\r\n*1\r\n$4\r\nPING\r\n')
  for (let first = 0; first <= bytes.length; first++) {
    for (let second = first; second <= bytes.length; second++) {
      const reader = new CommandReader()
      const commands = [bytes.subarray(0, first), bytes.subarray(first, second), bytes.subarray(second)].flatMap((chunk) =>
        reader.push(chunk),
      )
      assert.equal(
        commands.map((parts) => parts.map(String)),
        [['GET', 'k'], ['SET', 'k', 'a\r\nb'], ['PING']],
      )
    }
  }
})

test('what is no command, or too large, is refused', () => {
  assert.throws(() => new CommandReader().push(Buffer.from('PING\r\n')), /array of bulk strings/)
  assert.throws(() => new CommandReader().push(Buffer.from('*99999\r\n')), /invalid length/)
  assert.throws(() => new CommandReader().push(Buffer.from('*1\r\n$999999999\r\n')), /invalid length/)
  assert.throws(() => new CommandReader().push(Buffer.from(`*${'1'.repeat(100)}`)), /too long/)
})

test('what was set is got, until it is deleted', () => {
  const store = new Store()
  const run = (...parts: string[]) => Buffer.concat(store.execute(parts.map((part) => Buffer.from(part)))).toString()
  assert.is(run('SET', 'k', 'värde'), '+OK\r\n')
  assert.is(run('get', 'k'), '$6\r\nvärde\r\n')
  assert.is(run('MGET', 'k', 'none'), '*2\r\n$6\r\nvärde\r\n$-1\r\n')
  assert.is(run('DEL', 'k', 'none'), ':1\r\n')
  assert.is(run('GET', 'k'), '$-1\r\n')
  assert.is(run('HELLO', '3'), "-ERR unknown command 'HELLO'\r\n")
  assert.is(run('GET'), "-ERR wrong number of arguments for 'get' command\r\n")
})

test('a client that reads slowly gets all its replies in order', async () => {
  const store = new Store()
  const value = Buffer.alloc(300_000, 'v')
  store.execute([Buffer.from('SET'), Buffer.from('k'), value])
  const { port, server } = await serve(store)
  const socket = connect(port, '127.0.0.1')
  const count = 40
  for (let index = 0; index < count; index++) socket.write('*2\r\n$3\r\nGET\r\n$1\r\nk\r\n')
  socket.write('*1\r\n$4\r\nPING\r\n')
  await new Promise((resolve) => setImmediate(resolve))
  const expected = count * (value.length + '$300000\r\n\r\n'.length) + '+PONG\r\n'.length
  let [received, tail] = [0, '']
  for await (const chunk of socket) {
    received += chunk.length
    tail = (tail + String(chunk)).slice(-7)
    if (received >= expected) break
  }
  assert.is(received, expected)
  assert.is(tail, '+PONG\r\n')
  await new Promise((resolve) => server.close(resolve))
})

test.run()
