/** The option `endpoint`: one, a list of them, or lists that follow one another. */
import { badOption, type Endpoint, endpointKey, parseEndpoint } from '@cenote/pool-worker'
import type { ListedEndpoint } from './books/sites.ts'
import { type Check, count, ownValues, refuseUnknown } from './checks.ts'

/** The longest list. */
const MAX_LENGTH = 1_000

const weight = count(1, 1_000)

/** What connections are opened to: a list, or those that come, each in place of the one before. */
export type EndpointSource = readonly ListedEndpoint[] | AsyncIterable<unknown>

/** The option as the user gives it. */
export const checkEndpoints: Check<EndpointSource> = (value) => {
  if (isLists(value)) return value
  return readList(Array.isArray(value) ? value : [value])
}

/**
 * One list, checked and copied. What is listed twice counts twice: its weights add up.
 *
 * @throws PoolError `BAD_OPTION`: what is wrong with it.
 */
export function readList(list: unknown): readonly ListedEndpoint[] {
  if (!Array.isArray(list)) throw badOption('endpoint', 'each list must be an array of endpoints')
  if (list.length < 1 || list.length > MAX_LENGTH) throw badOption('endpoint', `must be 1 to ${MAX_LENGTH} endpoints, not ${list.length}`)
  const byKey = new Map<string, ListedEndpoint>()
  for (const item of list) {
    const each = readItem(item)
    const key = endpointKey(each.endpoint)
    const before = byKey.get(key)
    byKey.set(key, before === undefined ? each : { ...before, weight: before.weight + each.weight })
  }
  return Object.freeze([...byKey.values()].map((each) => Object.freeze(each)))
}

/** Whether an endpoint of the list speaks TLS; of lists that are still to come it may be. */
export function mayUseTls(source: EndpointSource): boolean {
  return isLists(source) || source.some(({ endpoint }) => endpoint.transport === 'tls')
}

/** Whether they are lists that come one after the other. */
export function isLists(source: unknown): source is AsyncIterable<unknown> {
  return typeof source === 'object' && source !== null && Symbol.asyncIterator in source
}

function readItem(item: unknown): ListedEndpoint {
  if (typeof item !== 'object' || item === null || !Object.hasOwn(item, 'endpoint')) return { endpoint: parseEndpoint(item), weight: 1 }
  const own = ownValues(item, 'endpoint', 'of endpoint, weight')
  refuseUnknown(own, ['endpoint', 'weight'], 'endpoint')
  const endpoint: Endpoint = parseEndpoint(own.get('endpoint'))
  return { endpoint, weight: own.has('weight') ? weight(own.get('weight'), 'endpoint.weight') : 1 }
}
