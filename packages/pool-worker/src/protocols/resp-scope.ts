/** Which commands may share a connection. Asked for every request, so what is common must cost next to nothing. */
import type { Scope } from '../define.ts'
import { PoolError } from '../errors.ts'
import type { RespRequest } from './resp-encoder.ts'

type Rule = Scope | ((request: RespRequest) => Scope)

/** Commands that change the connection, or what it answers. */
const STATEFUL = [
  ...['SELECT', 'AUTH', 'HELLO', 'RESET', 'QUIT', 'WATCH', 'UNWATCH', 'MULTI', 'EXEC', 'DISCARD'],
  ...['READONLY', 'READWRITE', 'ASKING', 'REPLCONF'],
]

/** Commands that may hold up whatever is sent behind them. */
const BLOCKING = ['BLPOP', 'BRPOP', 'BRPOPLPUSH', 'BLMOVE', 'BLMPOP', 'BZPOPMIN', 'BZPOPMAX', 'BZMPOP', 'WAIT', 'WAITAOF']

/** Confirmed once for each channel: with one channel, there is one reply. */
const SUBSCRIPTIONS = ['SUBSCRIBE', 'PSUBSCRIBE', 'SSUBSCRIBE', 'UNSUBSCRIBE', 'PUNSUBSCRIBE', 'SUNSUBSCRIBE']

/** Answered without end. */
const ENDLESS = ['MONITOR', 'SYNC', 'PSYNC']

/** Sub-commands of CLIENT that leave the connection as it is. Any other, a future one too, needs a lease. */
const HARMLESS_CLIENT = new Set([
  'GETNAME',
  'GETREDIR',
  'HELP',
  'ID',
  'INFO',
  'KILL',
  'LIST',
  'PAUSE',
  'TRACKINGINFO',
  'UNBLOCK',
  'UNPAUSE',
])

const RULES: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  ...STATEFUL.map((name): [string, Rule] => [name, 'lease']),
  ...BLOCKING.map((name): [string, Rule] => [name, 'exclusive']),
  ...SUBSCRIPTIONS.map((name): [string, Rule] => [name, oneChannel]),
  ...ENDLESS.map((name): [string, Rule] => [name, () => refuse(`${name} answers without end: use lease.stream() with raw()`)]),
  ['CLIENT', (request) => (HARMLESS_CLIENT.has(word(request[1])) ? 'shared' : 'lease')],
  ['SCRIPT', (request) => (word(request[1]) === 'DEBUG' ? 'lease' : 'shared')],
  ['DEBUG', (request) => (word(request[1]) === 'SLEEP' ? 'exclusive' : 'shared')],
  ['XREAD', (request) => blocks(request, 1)],
  ['XREADGROUP', (request) => blocks(request, 4)], // its group and consumer may be named like options
])

const LONGEST = 12

/** Marks length, first and last letter of each name above: almost every other command is told apart by them alone. */
const CANDIDATES: Uint8Array = new Uint8Array((LONGEST + 1) << 10)
for (const name of RULES.keys()) CANDIDATES[fingerprint(name)] = 1

/** Who may share a connection with this request. What is not a request at all is refused later, by the encoder. */
export function scopeOf(request: RespRequest): Scope {
  const first = request?.[0]
  if (typeof first !== 'string') return first instanceof Uint8Array ? ruled(word(first), request) : 'shared'
  const length = first.length
  if (length > LONGEST || length === 0 || CANDIDATES[fingerprint(first)] === 0) return 'shared'
  return ruled(first.toUpperCase(), request)
}

function fingerprint(name: string): number {
  const last = name.length - 1
  return ((last + 1) << 10) | ((name.charCodeAt(0) & 31) << 5) | (name.charCodeAt(last) & 31)
}

function ruled(name: string, request: RespRequest): Scope {
  const rule = RULES.get(name) ?? 'shared'
  return typeof rule === 'function' ? rule(request) : rule
}

function oneChannel(request: RespRequest): Scope {
  return request.length === 2 ? 'lease' : refuse('a subscription names one channel: each is confirmed by a reply of its own')
}

function refuse(message: string): never {
  throw new PoolError('BAD_REQUEST', message, { phase: 'send', outcome: 'not-sent' })
}

/** Whether the options of XREAD, which end at STREAMS, hold BLOCK. */
function blocks(request: RespRequest, from: number): Scope {
  for (let i = from; i < request.length; i++) {
    const option = word(request[i])
    if (option === 'BLOCK') return 'exclusive'
    if (option === 'STREAMS') break
  }
  return 'shared'
}

/** An argument as an upper-case word; '' for one that is none. */
function word(argument: RespRequest[number] | undefined): string {
  if (typeof argument === 'string') return argument.length > 32 ? '' : argument.toUpperCase()
  if (!(argument instanceof Uint8Array) || argument.length > 32) return ''
  return Buffer.from(argument.buffer, argument.byteOffset, argument.byteLength).toString('latin1').toUpperCase()
}
