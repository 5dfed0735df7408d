import { type NetConnectOpts, Socket, type TcpNetConnectOpts } from 'node:net'
import * as assert from 'uvu/assert'
import { type ConnectSettings, connect } from '../src/connect.ts'
import type { Endpoint } from '../src/endpoint.ts'
import { realWorld } from '../src/world.ts'
import { suite } from './kit/kit.ts'

const test = suite('connect')

/** The options that a socket is made with. */
function optionsOf(endpoint: Endpoint, settings: Partial<ConnectSettings>): TcpNetConnectOpts {
  let options: TcpNetConnectOpts | undefined
  const world = {
    ...realWorld,
    connectTcp: (given: NetConnectOpts) => {
      options = given as TcpNetConnectOpts // it holds what both forms have, and a path instead for a unix socket
      return new Socket()
    },
  }
  const all = { keepAlive: true, keepAliveInitialDelayMs: 15_000, noDelay: true, tls: undefined, unrefSockets: false, ...settings }
  const onread = { buffer: Buffer.alloc(1), callback: () => true }
  connect(world, all, { endpoint }, onread, { opened: () => undefined, failed: () => undefined }).cancel()
  if (options === undefined) throw new Error('no socket was made')
  return options
}

test('keepAlive, its delay and noDelay reach the socket', () => {
  const endpoint: Endpoint = { transport: 'tcp', host: '127.0.0.1', port: 7 }
  for (const flag of [true, false]) {
    const options = optionsOf(endpoint, { keepAlive: flag, noDelay: flag, keepAliveInitialDelayMs: 7_000 })
    assert.is(options.keepAlive, flag)
    assert.is(options.noDelay, flag)
    assert.is(options.keepAliveInitialDelay, 7_000)
    assert.is(options.allowHalfOpen, true)
  }
})

test('a unix endpoint is a path, a tcp endpoint a host and a port', () => {
  const unix = optionsOf({ transport: 'unix', path: '/run/x.sock' }, {})
  assert.is((unix as { path?: string }).path, '/run/x.sock')
  const tcp = optionsOf({ transport: 'tcp', host: '::1', port: 7 }, {}) as { host?: string; port?: number }
  assert.equal([tcp.host, tcp.port], ['::1', 7])
})

test.run()
