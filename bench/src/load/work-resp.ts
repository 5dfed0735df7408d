/** Redis commands, over keys of their own that are removed at the end. */
import { randomBytes } from 'node:crypto'
import type { Pool, RespReply, RespRequest } from '@cenote/pool-core'
import type { LoadOptions } from './options.ts'
import { WrongReply } from './recorder.ts'
import { requests, type Work } from './work.ts'

const PREFIX = 'cenote-bench:'
const BATCH = 256

/** How long removing one batch may take: a server that has stopped answering holds nobody up. */
const REMOVE_MS = 2_000

/** Commands that read what SET has written. */
const STRING_READERS: ReadonlySet<string> = new Set(['GET', 'MGET', 'STRLEN', 'GETRANGE', 'EXISTS'])

/** The command for each key in turn. */
export function respWork(pool: Pool<RespRequest, RespReply>, options: LoadOptions): Work {
  const { command, keys, payload } = options
  const verb = command[0]?.toUpperCase() ?? ''
  const named = command.filter((each) => each.includes('{key}'))
  const run = randomBytes(4).toString('hex')
  const value = '0123456789abcdef'.repeat(Math.ceil(payload / 16)).slice(0, payload)
  const keyAt = (index: number) => `${PREFIX}${run}:${index}`
  const fill = (text: string, index: number) => text.replaceAll('{key}', keyAt(index)).replaceAll('{value}', value)
  const prepared = STRING_READERS.has(verb) && named.length > 0
  const all = Array.from({ length: named.length > 0 ? keys : 1 }, (_, index) => command.map((each) => fill(each, index)))
  const names = named.length > 0 ? all.flatMap((_, index) => named.map((each) => fill(each, index))) : []
  const exact = prepared && verb === 'GET' && command.length === 2
  let turn = 0
  let touched = false
  let removing = false
  let filling: Promise<void> | undefined
  const fillAll = () =>
    inBatches(names, async (batch) => {
      if (removing) return
      touched = true
      await Promise.all(batch.map((name) => pool.request(['SET', name, value])))
    })
  return requests(pool, {
    about: `${command.join(' ')}, ${keys} ${keys === 1 ? 'key' : 'keys'}, values of ${payload} bytes`,
    sentBytes: (all[0] ?? []).reduce((sum, each) => sum + Buffer.byteLength(each), 0),
    next: () => {
      touched = true
      turn = turn + 1 < all.length ? turn + 1 : 0
      return all[turn] ?? command
    },
    receivedBytes: (reply) => {
      if (exact && !(typeof reply === 'string' && reply.length === payload)) throw new WrongReply('not the value that was stored')
      return sizeOf(reply)
    },
    prepare: () => {
      filling = prepared ? fillAll() : Promise.resolve()
      return filling
    },
    // Nothing is left behind in a server that was asked nothing, and what is on its way there arrives before it is removed.
    remove: async () => {
      removing = true
      await filling?.catch(() => undefined) // whoever prepares has been told
      if (touched) await inBatches(names, (batch) => pool.request(['DEL', ...batch], { timeoutMs: REMOVE_MS }))
    },
  })
}

async function inBatches(names: readonly string[], work: (batch: readonly string[]) => Promise<unknown>): Promise<void> {
  for (let start = 0; start < names.length; start += BATCH) await work(names.slice(start, start + BATCH))
}

/** Bytes of a reply, about: of text one for each character. */
function sizeOf(reply: RespReply): number {
  if (typeof reply === 'string' || Buffer.isBuffer(reply)) return reply.length
  if (Array.isArray(reply)) return reply.reduce<number>((sum, each) => sum + sizeOf(each), 0)
  return reply === null ? 0 : String(reply).length
}
