/** From options to a pool that works: opens it, makes sure that somebody answers, and says what is wrong if nobody does. */
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import {
  createPool,
  fixed,
  handlersAt,
  lengthPrefixed,
  line,
  PoolError,
  type PoolOptions,
  type Protocol,
  raw,
  resp,
} from '@cenote/pool-core'
import { UsageError } from '../process/command.ts'
import type { Address } from './address.ts'
import type { LoadOptions } from './options.ts'
import { type AnyHandlers, handlerCalls, requests, type Work } from './work.ts'
import { rawWork } from './work-raw.ts'
import { respWork } from './work-resp.ts'

const POOL_NAME = 'load'

/** How long a server may take to let the first connection in, and then all of them. */
const REACH_MS = 5_000

/** How long it may take to fill all keys. */
const PREPARE_MS = 120_000
const CLOSE_MS = 1_000
const MAX_WAITING = 1_000_000

type CommonOptions = Omit<PoolOptions, 'protocol' | 'handlers'>

/**
 * Opens the pool with all its connections.
 *
 * @param preload - A module that each shard loads before its own.
 * @throws UsageError: the server cannot be reached; with the cause.
 */
export async function openWork(address: Address, options: LoadOptions, preload: URL): Promise<Work> {
  const work = await makeWork(address, options, await commonOptions(address, options, preload))
  const { pool } = work
  try {
    const lease = await pool.acquire({ timeoutMs: REACH_MS })
    lease.release()
    await pool.ready({ timeoutMs: REACH_MS })
    return work
  } catch (error) {
    const { opened } = pool.stats().counters
    await pool.close({ timeoutMs: CLOSE_MS })
    const how = opened === 0 ? 'cannot be reached' : `let in ${opened} of ${options.connections} connections`
    throw new UsageError(`${address.text} ${how}: ${reasons(error).join(': ')}`)
  }
}

/**
 * Makes the server ready, and sends one request for a trial.
 *
 * @throws UsageError: it does not answer, or not so.
 */
export async function tryOut(work: Work, { text }: Address, { protocol }: LoadOptions): Promise<void> {
  try {
    await within(work.prepare(), PREPARE_MS)
    work.receivedBytes(await within(work.send(), REACH_MS))
  } catch (error) {
    const hint = `Does the server speak what --protocol ${protocol} says?`
    throw new UsageError(`${text} can be reached, but a first request failed: ${reasons(error).join(': ')}. ${hint}`)
  }
}

async function makeWork(address: Address, options: LoadOptions, common: CommonOptions): Promise<Work> {
  const { payload, prefixBytes } = options
  const bytes = Buffer.alloc(payload, 'x')
  const inBytes = (name: string) => ({
    about: `${payload} bytes, ${name}`,
    sentBytes: payload,
    next: () => bytes,
    receivedBytes: (reply: Buffer) => reply.length,
  })
  try {
    if (options.handler !== undefined) return await handlerWork(address, options, options.handler, common)
    switch (options.protocol) {
      case 'resp': {
        const { database, credentials } = address
        return respWork(await createPool({ ...common, credentials, protocol: resp({ database }) }), options)
      }
      case 'line': {
        const text = bytes.toString('latin1')
        const receivedBytes = (reply: string) => reply.length
        const kind = { about: `lines of ${payload} characters`, sentBytes: payload, next: () => text, receivedBytes }
        return requests(await createPool({ ...common, protocol: line() }), kind)
      }
      case 'length-prefixed':
        return requests(await createPool({ ...common, protocol: lengthPrefixed({ size: prefixBytes }) }), inBytes('length-prefixed'))
      case 'fixed':
        return requests(await createPool({ ...common, protocol: fixed({ bytes: payload }) }), inBytes('fixed size'))
      case 'raw':
        return rawWork(await createPool({ ...common, maxLeaseMs: options.timeoutMs }), options)
    }
  } catch (error) {
    if (PoolError.is(error) && (error.code === 'BAD_OPTION' || error.code === 'NO_SHARD')) throw new UsageError(reasons(error).join(': '))
    throw error
  }
}

async function handlerWork(
  { credentials, database }: Address,
  { protocol, prefixBytes, payload, input }: LoadOptions,
  { module, name }: NonNullable<LoadOptions['handler']>,
  common: CommonOptions,
): Promise<Work> {
  const protocols = {
    resp: () => resp({ database }),
    line,
    'length-prefixed': () => lengthPrefixed({ size: prefixBytes }),
    fixed: () => fixed({ bytes: payload }),
    raw,
  }
  const pool = await createPool({
    ...common,
    credentials,
    protocol: protocols[protocol]() as Protocol<never, never>, // the handler speaks it, we send nothing ourselves
    handlers: handlersAt<AnyHandlers>(pathToFileURL(resolve(module))),
  })
  try {
    return handlerCalls(pool, name, input)
  } catch (error) {
    await pool.close()
    throw error
  }
}

async function commonOptions(address: Address, options: LoadOptions, preload: URL): Promise<CommonOptions> {
  const { connections, shards, pipelining, timeoutMs } = options
  return {
    name: POOL_NAME,
    endpoint: address.endpoint,
    shards,
    maxConnections: connections,
    minConnections: connections,
    pipelining,
    maxPending: MAX_WAITING,
    acquireTimeoutMs: timeoutMs,
    requestTimeoutMs: timeoutMs,
    handlerTimeoutMs: timeoutMs,
    tls: address.transport === 'tls' ? await tlsOptions(options) : undefined,
    worker: { execArgv: ['--enable-source-maps', '--import', preload.href] },
  }
}

async function tlsOptions({ ca, servername, insecure }: LoadOptions): Promise<PoolOptions['tls']> {
  return { ca: ca === undefined ? undefined : await readCertificates(ca), servername, rejectUnauthorized: !insecure }
}

async function readCertificates(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    throw new UsageError(`--ca must be a file with certificates: ${messageOf(error)}`)
  }
}

/** The error's message, and those of its causes that say more. */
function reasons(error: unknown): string[] {
  const messages: string[] = []
  for (let each = error; each instanceof Error; each = each.cause) {
    const text = each.message.replace(`${POOL_NAME}: `, '')
    if (text !== '' && !messages.some((message) => message.includes(text))) messages.push(text)
  }
  return messages.length === 0 ? [String(error)] : messages
}

async function within<T>(promise: Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${ms / 1_000} s`)), ms)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
