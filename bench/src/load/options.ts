/** What a run of `load` does, read from its flags: defaults, checks, contradictions. */
import { availableParallelism } from 'node:os'
import { type Address, parseAddress } from './address.ts'
import { type FlagName, type Given, readFlags, wrong } from './flags.ts'
import { type Arrivals, parseRate, type RatePlan } from './schedule.ts'
import { count, size, time, word } from './values.ts'

/** What is spoken. */
export type ProtocolName = 'resp' | 'line' | 'length-prefixed' | 'fixed' | 'raw'

/** Everything that a run depends on besides the server. Durations in milliseconds, sizes in bytes. */
export interface LoadOptions {
  readonly protocol: ProtocolName
  /** The command for `resp`, its words apart; `{key}` and `{value}` are filled in. */
  readonly command: readonly string[]
  readonly keys: number
  /** A function of the user's that is called instead of sending requests, and what it is given. */
  readonly handler: { readonly module: string; readonly name: string } | undefined
  readonly input: unknown
  readonly payload: number
  readonly replyBytes: number
  readonly prefixBytes: 1 | 2 | 4
  readonly connections: number
  readonly shards: number
  /** Default: the protocol's. */
  readonly pipelining: number | undefined
  /** Closed loop: how many wait, each for its own reply. Of an open loop: undefined. */
  readonly callers: number | undefined
  readonly thinkMs: number
  /** Open loop. */
  readonly rate: RatePlan | undefined
  readonly arrivals: Arrivals
  readonly seed: number
  readonly durationMs: number
  readonly warmupMs: number
  readonly timeoutMs: number
  /** A file. */
  readonly ca: string | undefined
  readonly servername: string | undefined
  readonly insecure: boolean
}

/** What is asked for. */
export interface LoadOrder {
  readonly address: Address
  readonly options: LoadOptions
  /** The JSON's file; default: one in the folder of results, named by the time. */
  readonly out: string | undefined
  /** The JSON goes to standard output, and nothing else. */
  readonly json: boolean
  readonly assert: boolean
}

const PROTOCOLS: readonly ProtocolName[] = ['resp', 'line', 'length-prefixed', 'fixed', 'raw']
const MIB = 1_024 ** 2
const MAX_STORED_BYTES = 1_024 * MIB
const MAX_CALLERS = 100_000
const SEEDS = 2 ** 32

/** Reads the arguments; undefined: `--help` was asked for. `random` gives the seed when none is given. */
export function readOrder(args: readonly string[], random: () => number): LoadOrder | undefined {
  const given = readFlags(args)
  const { flags } = given
  if (flags.has('help')) return undefined
  const address = parseAddress(given.address)
  const options = readOptions(given, address, random)
  refuseContradictions(flags, options, address)
  return { address, options, out: flags.get('out'), json: flags.has('json'), assert: flags.has('assert') }
}

function readOptions({ flags }: Given, address: Address, random: () => number): LoadOptions {
  const read = <T>(name: FlagName, fallback: T, reader: (flag: string, text: string) => T): T => {
    const text = flags.get(name)
    return text === undefined ? fallback : reader(name, text)
  }
  const whole = (least: number, most: number) => (flag: string, text: string) => count(flag, text, least, most)
  const protocol = read('protocol', address.redis ? 'resp' : 'raw', (flag, text) => word(flag, text, PROTOCOLS))
  const payload = read('payload', 64, (flag, text) => size(flag, text, 1, 64 * MIB))
  const connections = read('connections', 16, whole(1, 65_536))
  const rate = read<RatePlan | undefined>('rate', undefined, (_, text) => parseRate(text))
  return {
    protocol,
    command: read('command', ['GET', '{key}'], (_, text) => text.split(/\s+/).filter(Boolean)),
    keys: read('keys', 1_024, whole(1, 10_000_000)),
    handler: read<LoadOptions['handler']>('handler', undefined, readHandler),
    input: read<unknown>('input', undefined, readInput),
    payload,
    replyBytes: read('reply-bytes', payload, (flag, text) => size(flag, text, 1, 64 * MIB)),
    prefixBytes: Number(read('prefix-bytes', '4', (flag, text) => word(flag, text, ['1', '2', '4']))) as 1 | 2 | 4, // one of these words
    connections,
    shards: read('shards', Math.max(1, Math.min(availableParallelism() - 1, 4, connections)), whole(0, 64)),
    pipelining: read<number | undefined>('pipelining', undefined, whole(1, 65_536)),
    callers: rate === undefined ? read('callers', connections, whole(1, MAX_CALLERS)) : undefined,
    thinkMs: read('think', 0, (flag, text) => time(flag, text, { least: 0 })),
    rate,
    arrivals: read('arrivals', 'constant', (flag, text) => word(flag, text, ['constant', 'poisson'])),
    seed: read('seed', Math.floor(random() * SEEDS), whole(0, SEEDS - 1)),
    durationMs: read('duration', 10_000, (flag, text) => time(flag, text, { least: 100, most: 24 * 3_600_000 })),
    warmupMs: read('warmup', 1_000, (flag, text) => time(flag, text, { least: 0 })),
    timeoutMs: read('timeout', 5_000, (flag, text) => time(flag, text, { least: 10 })),
    ca: flags.get('ca'),
    servername: flags.get('servername'),
    insecure: flags.has('insecure'),
  }
}

function readHandler(flag: string, text: string): NonNullable<LoadOptions['handler']> {
  const [, module, name] = /^(.+)#([\w$]+)$/.exec(text) ?? []
  if (module === undefined || name === undefined)
    throw wrong(`--${flag} must be a module and the function in it, such as ./reports.js#total, not ${JSON.stringify(text)}`)
  return { module, name }
}

function readInput(flag: string, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw wrong(`--${flag} must be JSON, such as '{"day":1}' or '"text"': ${error instanceof Error ? error.message : String(error)}`)
  }
}

/** A flag that would do nothing is a mistake of somebody who expects it to do something. */
function refuseContradictions(flags: Given['flags'], options: LoadOptions, { transport }: Address): void {
  const { protocol, rate, command, handler, shards, connections, keys, payload } = options
  const only = (names: readonly FlagName[], fits: boolean, what: string): void => {
    const found = names.find((name) => flags.has(name))
    if (!fits && found !== undefined) throw wrong(`--${found} goes with ${what}`)
  }
  only(['callers', 'think'], rate === undefined, 'a closed loop; with --rate requests begin when they are due, whoever waits')
  only(['arrivals', 'seed'], rate !== undefined, 'an open loop: give --rate too')
  only(['command', 'keys'], protocol === 'resp', '--protocol resp')
  only(['reply-bytes'], protocol === 'raw', '--protocol raw')
  only(
    ['command', 'keys', 'reply-bytes', 'pipelining'],
    handler === undefined,
    'requests; a handler has a connection for itself, and sends what it likes',
  )
  only(['payload'], handler === undefined || protocol === 'fixed', 'requests; what a handler is given is --input')
  only(['input'], handler !== undefined, '--handler')
  only(['prefix-bytes'], protocol === 'length-prefixed', '--protocol length-prefixed')
  only(['pipelining'], protocol !== 'raw', 'a protocol that knows where replies end; raw bytes have a connection for themselves')
  only(['ca', 'servername', 'insecure'], transport === 'tls', 'an address tls://host:port or rediss://host:port')
  if (flags.has('json') && flags.has('out')) throw wrong('--json prints to standard output, --out writes a file: one of the two')
  if (flags.has('ca') && flags.has('insecure')) throw wrong('--insecure verifies nothing, and --ca says what to verify by: one of the two')
  if (command.length === 0) throw wrong("--command needs a command, such as --command 'GET {key}'")
  if (protocol === 'resp' && keys * payload > MAX_STORED_BYTES)
    throw wrong(`--keys ${keys} of --payload ${payload} bytes are more than 1 GiB`)
  if (shards > connections) throw wrong(`--shards ${shards} is more than there are connections (${connections})`)
}
