/** What the docs say of defaults and sizes, in words, and the values that the words stand for. */
import { availableParallelism } from 'node:os'
import type { Settings } from '../../src/options.ts'

const UNITS: ReadonlyMap<string | undefined, number> = new Map([
  [undefined, 1],
  ['KiB', 2 ** 10],
  ['MiB', 2 ** 20],
])

const MiB = 2 ** 20

/** What words stand for, where the endpoint `ENDPOINT` is the only option given. */
const WORDS: ReadonlyMap<string, unknown> = new Map<string, unknown>([
  ['required', [{ endpoint: { transport: 'tcp', host: '127.0.0.1', port: 1 }, weight: 1 }]],
  ["`'least-pending'`", 'least-pending'],
  [
    '`{ afterFailures: 5, baseMs: 30000, maxMs: 300000, maxEjected: 0.5 }`',
    { afterFailures: 5, baseMs: 30_000, maxMs: 300_000, maxEjected: 0.5 },
  ],
  ['none', undefined],
  ['`raw()`', { builtin: 'raw', options: undefined }],
  ['cores − 1, 1 to 4', Math.max(1, Math.min(4, availableParallelism() - 1))],
  ['`maxConnections`', 10],
  ["the protocol's", undefined],
  ['Infinity', Infinity],
  ['true', true],
  ['false', false],
  ['`{ initialMs: 100, maxMs: 5000, factor: 2 }`', { initialMs: 100, maxMs: 5000, factor: 2 }],
  ['`{ ratio: 0.2, minPerSecond: 10 }`', { ratio: 0.2, minPerSecond: 10 }],
  ['4 MiB to the main thread, 1 MiB to the shard', { toMain: 4 * MiB, toShard: MiB }],
  ["`'lifo'`", 'lifo'],
  ['inherited', { url: undefined, env: undefined, execArgv: undefined, resourceLimits: undefined }],
  ['verified, 1.2 or later', undefined],
])

/** The only option that is given where a default is looked at. */
export const ENDPOINT = 'tcp://127.0.0.1:1'

/** `10`, `1,024`, `0.2`, `4 KiB`: the number; undefined for anything else. */
export function quantity(said: string): number | undefined {
  const [, digits, unit] = /^(\d[\d,]*(?:\.\d+)?)(?: (KiB|MiB))?$/.exec(said) ?? []
  return digits === undefined ? undefined : Number(digits.replaceAll(',', '')) * (UNITS.get(unit) ?? 1)
}

/** The value that the words for an option's default stand for. Words that are not known fail the test. */
export function defaultOf(name: string, said: string, settings: Settings): unknown {
  const number = quantity(said)
  if (number !== undefined) return number
  if (name === 'name' && said === '`pool-N`') return /^pool-\d+$/.test(settings.name) ? settings.name : said
  if (!WORDS.has(said)) throw new Error(`${name}: the test does not know the default '${said}'`)
  return WORDS.get(said)
}
