/** The flags of `load` as they were given. What is wrong with them is said in one line that names the flag. */
import { parseArgs } from 'node:util'
import { nearest } from '../../../packages/pool-core/src/nearest.ts'
import { UsageError } from '../process/command.ts'

const FLAGS = {
  protocol: { type: 'string' },
  command: { type: 'string' },
  keys: { type: 'string' },
  handler: { type: 'string' },
  input: { type: 'string' },
  payload: { type: 'string' },
  'reply-bytes': { type: 'string' },
  'prefix-bytes': { type: 'string' },
  connections: { type: 'string' },
  shards: { type: 'string' },
  pipelining: { type: 'string' },
  callers: { type: 'string' },
  think: { type: 'string' },
  rate: { type: 'string' },
  arrivals: { type: 'string' },
  seed: { type: 'string' },
  duration: { type: 'string' },
  warmup: { type: 'string' },
  timeout: { type: 'string' },
  ca: { type: 'string' },
  servername: { type: 'string' },
  insecure: { type: 'boolean' },
  out: { type: 'string' },
  json: { type: 'boolean' },
  assert: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

/** A flag's name, without its dashes. */
export type FlagName = keyof typeof FLAGS

/** Flags and address. A switch that was given stands for an empty text. */
export interface Given {
  readonly address: string | undefined
  readonly flags: ReadonlyMap<FlagName, string>
}

const isFlag = (name: string): name is FlagName => Object.hasOwn(FLAGS, name)

/**
 * Reads the arguments.
 *
 * @throws UsageError for a flag that is not known, lacks its value or comes twice, and for a second address.
 */
export function readFlags(args: readonly string[]): Given {
  const { tokens } = parseArgs({ args: [...args], options: FLAGS, strict: false, allowPositionals: true, tokens: true })
  const flags = new Map<FlagName, string>()
  const addresses: string[] = []
  for (const token of tokens) {
    if (token.kind === 'positional') addresses.push(token.value)
    if (token.kind === 'option') takeFlag(flags, token)
  }
  if (addresses.length > 1) throw wrong(`one address at a time, not ${addresses.length}: ${addresses.slice(1).join(' ')} is too much`)
  return { address: addresses[0], flags }
}

/** One flag as `parseArgs` has found it. */
interface FlagToken {
  readonly name: string
  readonly rawName: string
  readonly value: string | undefined
}

function takeFlag(flags: Map<FlagName, string>, { name, rawName, value }: FlagToken): void {
  if (!isFlag(name)) throw unknown(rawName)
  if (flags.has(name)) throw wrong(`--${name} was given twice`)
  const { type } = FLAGS[name]
  if (type === 'string' && (value === undefined || value === '' || value.startsWith('--'))) throw wrong(`--${name} needs a value`)
  if (type === 'boolean' && value !== undefined) throw wrong(`--${name} takes no value`)
  flags.set(name, value ?? '')
}

function unknown(rawName: string): UsageError {
  const guess = nearest(rawName.replace(/^-+/, ''), Object.keys(FLAGS))
  return wrong(`unknown flag ${rawName}${guess === undefined ? '' : `; did you mean --${guess}?`}`)
}

/** A mistake in the arguments. */
export function wrong(text: string): UsageError {
  return new UsageError(`${text}\nSee npm run bench -- load --help`)
}
