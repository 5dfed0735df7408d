import * as fc from 'fast-check'
import * as assert from 'uvu/assert'
import { FrameWriter } from '../src/codec.ts'
import type { CodecProtocol, HookConnection } from '../src/define.ts'
import type { Credentials } from '../src/endpoint.ts'
import { PoolError, ReplyError } from '../src/errors.ts'
import { builtins, type RespOptions, type RespReply, type RespRequest, resp, respCodec } from '../src/protocols/index.ts'
import { encoded, holds, thrownBy } from './framing.ts'
import { rejects, suite } from './kit/kit.ts'

const test = suite('resp')
// What the map knows of it is less than what it is: the types of a built-in are those of its factory.
const protocol = builtins.get('resp') as CodecProtocol<RespRequest, RespReply, RespOptions | undefined>

type Answer = RespReply | Error

/** A connection whose server gives these answers in turn; `asked` is what it got. */
function fakeConnection(answers: Answer[], options?: RespOptions, credentials?: Credentials) {
  const asked: string[] = []
  const connection: HookConnection<RespRequest, RespReply, RespOptions | undefined> = {
    async request(request) {
      asked.push(request.join(' '))
      const answer = answers.length > 0 ? (answers.shift() as Answer) : 'OK' // not empty
      if (answer instanceof Error) throw answer
      return answer
    },
    next: () => Promise.reject(new Error('this server does not speak first')),
    keepAlive: () => undefined,
    options,
    credentials,
    endpoint: { transport: 'tcp', host: 'localhost', port: 6379 },
  }
  return { connection, asked }
}

const refusal = (message: string): ReplyError => new ReplyError(message.split(' ')[0] ?? '', message)

test('a request is an array of bulk strings', () => {
  const text = (request: RespRequest): string => encoded(respCodec(), request).toString()
  assert.is(text(['GET', 'key:1']), '*2\r\n$3\r\nGET\r\n$5\r\nkey:1\r\n')
  assert.is(text(['SET', '', -1.5]), '*3\r\n$3\r\nSET\r\n$0\r\n\r\n$4\r\n-1.5\r\n')
  assert.is(text(['ž🐎\r\n']), '*1\r\n$8\r\nž🐎\r\n\r\n')
  assert.equal(encoded(respCodec(), ['A', Buffer.from([255, 13, 10])]), Buffer.from('*2\r\n$1\r\nA\r\n$3\r\n\xff\r\n\r\n', 'latin1'))
})

test('a request of any kind, in any place of a ring, reads back as it was', () => {
  const argument = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 90 }),
    fc.string({ minLength: 60, maxLength: 70 }),
    fc.constantFrom('é'.repeat(64), 'x'.repeat(3000), `${'x'.repeat(64)}é`),
    fc.double({ noNaN: true }),
    fc.integer(),
    fc.uint8Array({ maxLength: 90 }),
  )
  const out = new FrameWriter()
  const ring = Buffer.from(new SharedArrayBuffer(2048) as unknown as ArrayBuffer) // allowed; the types know only ArrayBuffer
  const { encode, decode } = respCodec({ buffers: true })
  holds(
    fc.property(fc.array(argument, { minLength: 1, maxLength: 12 }), fc.nat({ max: 2048 }), (request, start) => {
      out.begin(ring, start, ring.length)
      encode(request, out)
      const bytes = (value: string | number | Uint8Array) => (value instanceof Uint8Array ? Buffer.from(value) : Buffer.from(String(value)))
      assert.equal(decode(Buffer.from(out.written)), request.map(bytes))
    }),
  )
})

test('what is no request is refused, and the argument is named', () => {
  const messageFor = (request: unknown): string => {
    const error = thrownBy(() => encoded(respCodec(), request as RespRequest)) // it is not: that is the test
    if (!PoolError.is(error)) throw new Error('it must be a PoolError')
    assert.is(error.code, 'BAD_REQUEST')
    return error.message
  }
  for (const request of [undefined, null, 'GET key', {}, 5, Buffer.from('x')]) assert.match(messageFor(request), /a request is an array/)
  assert.match(messageFor([]), /at least the name of a command/)
  assert.match(messageFor(['SET', 'key', undefined]), /argument 2 .* not undefined/)
  assert.match(messageFor(['SET', null]), /argument 1 .* not null/)
  assert.match(messageFor([['GET'], 'key']), /argument 0 .* not an array/)
  assert.match(messageFor(['SET', 'key', Number.NaN]), /argument 2 .* not NaN/)
  assert.match(messageFor(['SET', 'key', 5n]), /argument 2 .* not bigint/)
  assert.match(messageFor(['SET', 'key', {}]), /argument 2 .* not object/)
  assert.match(messageFor(new Array(2)), /argument 0 .* not undefined/)
})

test('only commands that leave a connection as it was, and hold up nobody, share it', () => {
  const table: Record<string, string[]> = {
    shared: [
      ...['GET k', 'SET k v', 'MGET a b', 'PING', 'HGETALL h', 'DEL k', 'EVAL x 0', 'SORT k', 'EXISTS k', 'HELLOS', 'WAITS', 'INFO'],
      ...['CLIENT ID', 'client list', 'CLIENT UNBLOCK 5', 'SCRIPT LOAD x', 'DEBUG OBJECT k', 'PUBLISH c m', 'SPUBLISH c m'],
      ...[
        'XREAD COUNT 1 STREAMS s 0',
        'XREAD STREAMS block 0',
        'XREADGROUP GROUP g c STREAMS s >',
        'XREADGROUP GROUP block block STREAMS s >',
      ],
    ],
    exclusive: [
      ...[
        'BLPOP l 0',
        'brpop l 0',
        'BLMOVE a b LEFT LEFT 0',
        'BLMPOP 0 1 l LEFT',
        'BRPOPLPUSH a b 0',
        'BZPOPMIN z 0',
        'bzpopmax z 0',
        'BZMPOP 0 1 z MIN',
      ],
      ...['XREAD BLOCK 0 STREAMS s $', 'xread count 1 block 5 streams s $', 'XREADGROUP GROUP g c COUNT 1 BLOCK 0 STREAMS s >'],
      ...['XREADGROUP GROUP streams streams BLOCK 0 STREAMS s >', 'WAIT 1 0', 'WAITAOF 1 0 0', 'debug sleep 1'],
    ],
    lease: [
      ...[
        'SELECT 1',
        'select 1',
        'Select 1',
        'AUTH p',
        'HELLO 3',
        'RESET',
        'QUIT',
        'WATCH k',
        'UNWATCH',
        'MULTI',
        'multi',
        'EXEC',
        'DISCARD',
      ],
      ...[
        'SUBSCRIBE c',
        'PSUBSCRIBE c',
        'SSUBSCRIBE c',
        'UNSUBSCRIBE c',
        'PUNSUBSCRIBE c',
        'SUNSUBSCRIBE c',
        'READONLY',
        'READWRITE',
        'ASKING',
      ],
      ...[
        'CLIENT REPLY OFF',
        'client tracking on',
        'CLIENT CACHING YES',
        'CLIENT SETNAME x',
        'CLIENT SETINFO LIB-NAME x',
        'CLIENT NO-EVICT on',
      ],
      ...['CLIENT NO-TOUCH on', 'CLIENT', 'CLIENT SOMETHING-NEW', 'SCRIPT DEBUG YES', 'REPLCONF ACK 0'],
    ],
  }
  for (const [scope, commands] of Object.entries(table)) {
    for (const command of commands) {
      assert.is(protocol.scope?.(command.split(' ')), scope, command)
      assert.is(protocol.scope?.(command.split(' ').map((word) => Buffer.from(word))), scope, `${command} as bytes`)
    }
  }
})

test('what is answered more than once is refused before it is sent', () => {
  for (const command of ['MONITOR', 'SYNC', 'PSYNC ? -1', 'SUBSCRIBE a b', 'UNSUBSCRIBE']) {
    assert.throws(
      () => protocol.scope?.(command.split(' ')),
      (error: unknown) => PoolError.is(error) && error.code === 'BAD_REQUEST',
    )
  }
})

test('the confirmation of a subscription answers it; any other push is delivered', () => {
  assert.is(protocol.push?.(['subscribe', 'c', 1]), 'reply')
  assert.is(protocol.push?.([Buffer.from('punsubscribe'), 'c', 0]), 'reply')
  assert.is(protocol.push?.(['message', 'c', 'hello']), 'deliver')
  assert.is(protocol.push?.(['invalidate', ['k']]), 'deliver')
})

test('the scope of what is no request is left to the encoder', () => {
  for (const request of [undefined, null, [], [5], [undefined], [''], 'SELECT', [['SELECT']]]) {
    assert.is(protocol.scope?.(request as unknown as RespRequest), 'shared')
  }
})

test('a connection signs in and selects its database before it is lent', async () => {
  const cases: [RespOptions | undefined, Credentials | undefined, string[]][] = [
    [undefined, undefined, []],
    [{ database: 0 }, undefined, []],
    [{ password: 'p' }, undefined, ['AUTH p']],
    [{ username: 'u', password: 'p', database: 3 }, undefined, ['AUTH u p', 'SELECT 3']],
    [{ username: 'u' }, undefined, ['AUTH u ']],
    [{ username: 'u', password: 'p' }, { username: 'v', password: 'q' }, ['AUTH v q']],
    [{ username: 'u', password: 'p' }, { password: 'q' }, ['AUTH q']],
    [{ username: 'u', password: 'p' }, {}, ['AUTH u p']],
    [{ version: 3 }, undefined, ['HELLO 3']],
    [{ version: 3, password: 'p', database: 1 }, undefined, ['HELLO 3 AUTH default p', 'SELECT 1']],
    [{ version: 3 }, { username: 'u', password: 'p' }, ['HELLO 3 AUTH u p']],
  ]
  for (const [options, credentials, expected] of cases) {
    const { connection, asked } = fakeConnection([], options, credentials)
    await protocol.onConnect?.(connection)
    assert.equal(asked, expected)
  }
})

test('a refused sign-in is AUTH_FAILED, and no error holds the password', async () => {
  const messages = [
    'WRONGPASS invalid username-password pair or user is disabled.',
    'ERR invalid password',
    'ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?',
    'NOAUTH Authentication required.',
    "NOPERM this user has no permissions to run the 'auth' command",
    'ERR unknown command `HELLO`, with args beginning with: `3` `AUTH` `u` `hunter2secret` ',
    "ERR unknown command 'AUTH', with args beginning with: 'hunter2se",
    'WRONGPASS hunter2secret is wrong',
  ]
  for (const version of [2, 3] as const) {
    for (const message of messages) {
      const { connection } = fakeConnection([refusal(message)], { username: 'u', password: 'hunter2secret', version })
      const thrown = await Promise.resolve(protocol.onConnect?.(connection)).then(
        () => undefined,
        (error: unknown) => error,
      )
      const printed = thrown instanceof Error ? `${thrown.stack} ${(thrown.cause as Error | undefined)?.stack}` : ''
      assert.not.match(printed, /hunter2/)
      if (message.includes('HELLO')) continue // a server without RESP3 refuses no credentials
      assert.ok(PoolError.is(thrown) && thrown.code === 'AUTH_FAILED' && ReplyError.is(thrown.cause), message)
    }
  }
})

test('a server that refuses for another reason has not refused the credentials', async () => {
  for (const message of [
    'ERR max number of clients reached',
    'LOADING Redis is loading the dataset in memory',
    'NOPROTO unsupported protocol version',
  ]) {
    const { connection } = fakeConnection([refusal(message)], { password: 'hunter2', version: 3 })
    const thrown = await Promise.resolve(protocol.onConnect?.(connection)).catch((error: unknown) => error)
    assert.ok(ReplyError.is(thrown), message)
    assert.is(thrown.message, message)
  }
  const lost = new Error('gone')
  const { connection } = fakeConnection([lost], { password: 'p' })
  assert.is(await Promise.resolve(protocol.onConnect?.(connection)).catch((error: unknown) => error), lost)
})

test('a database behind a password that was not given is AUTH_FAILED', async () => {
  const { connection } = fakeConnection([refusal('NOAUTH Authentication required.')], { database: 1 })
  const error = await rejects(Promise.resolve(protocol.onConnect?.(connection)), 'AUTH_FAILED')
  assert.is(error.phase, 'connect')
})

test('a reset cleans the connection and shakes hands again; a server without RESET fails it', async () => {
  const { connection, asked } = fakeConnection([], { password: 'p', database: 2, version: 3 })
  await protocol.reset?.(connection)
  assert.equal(asked, ['RESET', 'HELLO 3 AUTH default p', 'SELECT 2'])

  const old = fakeConnection([refusal("ERR unknown command 'RESET'")])
  assert.ok(ReplyError.is(await Promise.resolve(protocol.reset?.(old.connection)).catch((error: unknown) => error)))
})

test('a probe asks for an answer, and takes a user without the right to PING for alive', async () => {
  const { connection, asked } = fakeConnection(['PONG', refusal('NOPERM no'), refusal('NOAUTH Authentication required.')])
  await protocol.probe?.(connection)
  await protocol.probe?.(connection)
  assert.ok(ReplyError.is(await Promise.resolve(protocol.probe?.(connection)).catch((error: unknown) => error)))
  assert.equal(asked, ['PING', 'PING', 'PING'])
})

test('options are checked by name, and their values are never shown', () => {
  const messageFor = (options: unknown): string => {
    const error = thrownBy(() => resp(options as RespOptions)) // it may be anything
    assert.ok(PoolError.is(error) && error.code === 'BAD_OPTION')
    return String(error)
  }
  assert.match(messageFor({ pasword: 'secret' }), /unknown option pasword; it has username, password, database, buffers, version/)
  assert.match(messageFor({ toString: 1 }), /unknown option toString/)
  assert.match(messageFor({ password: ['secret'] }), /password must be a string$/)
  assert.match(messageFor({ database: -1 }), /database must be a whole number from 0 up$/)
  assert.match(messageFor({ version: '3' }), /version must be one of 2, 3$/)
  assert.match(messageFor({ buffers: 1 }), /buffers must be true or false$/)
  assert.match(messageFor('secret'), /its options must be an object$/)
  assert.equal(resp({ password: 'p', username: undefined }).reference, { builtin: 'resp', options: { password: 'p', username: undefined } })
})

test('pushes are delivered, and 64 requests share a connection', () => {
  assert.is(protocol.push?.(['message', 'c', 'text']), 'deliver')
  assert.is(protocol.pipelining, 64)
})

test.run()
