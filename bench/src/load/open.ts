/** From options to a pool that works: opens it, makes sure that somebody answers, and says what is wrong if nobody does. */
import { readFile } from 'node:fs/promises'
import { createPool, fixed, lengthPrefixed, line, PoolError, type PoolOptions, resp } from '@cenote/pool-core'
import { UsageError } from '../process/command.ts'
import type { Address } from './address.ts'
import type { LoadOptions } from './options.ts'
import { requests, type Work } from './work.ts'
import { rawWork } from './work-raw.ts'
import { respWork } from './work-resp.ts'

/** How long a server may take to let the first connection in, and then all of them. */
const REACH_MS = 5_000
const MAX_WAITING = 1_000_000

type CommonOptions = Omit<PoolOptions, 'protocol' | 'handlers'>

/**
 * Opens the pool with all its connections, and sends one request for a trial.
 *
 * @param preload - A module that each shard loads before its own.
 * @throws UsageError: the server cannot be reached, or does not answer; with the cause.
 */
export async function openWork(address: Address, options: LoadOptions, preload: URL): Promise<Work> {
  const work = await makeWork(address, options, await commonOptions(address, options, preload))
  try {
    await reach(work, address, options)
    return work
  } catch (error) {
    await work.pool.close({ timeoutMs: 1_000 })
    throw error
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
    if (PoolError.is(error) && error.code === 'BAD_OPTION') throw new UsageError(error.message)
    throw error
  }
}

async function commonOptions(address: Address, options: LoadOptions, preload: URL): Promise<CommonOptions> {
  const { connections, shards, pipelining, timeoutMs } = options
  return {
    name: 'load',
    endpoint: address.endpoint,
    shards,
    maxConnections: connections,
    minConnections: connections,
    pipelining,
    maxPending: MAX_WAITING,
    acquireTimeoutMs: timeoutMs,
    requestTimeoutMs: timeoutMs,
    tls: address.transport === 'tls' ? await tlsOptions(options) : undefined,
    worker: { execArgv: [...process.execArgv, '--import', preload.href] },
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

async function reach({ pool, send, receivedBytes }: Work, { text }: Address, { connections, protocol }: LoadOptions): Promise<void> {
  try {
    const lease = await pool.acquire({ timeoutMs: REACH_MS })
    lease.release()
    await pool.ready({ timeoutMs: REACH_MS })
  } catch (error) {
    const { opened } = pool.stats().counters
    const how = opened === 0 ? 'cannot be reached' : `let in ${opened} of ${connections} connections`
    throw new UsageError(`${text} ${how}: ${reasons(error).join(': ')}`)
  }
  try {
    receivedBytes(await within(send(), REACH_MS))
  } catch (error) {
    throw new UsageError(
      `${text} can be reached, but a first request failed: ${reasons(error).join(': ')}. Does the server speak what --protocol ${protocol} says?`,
    )
  }
}

/** The error's message and those of its causes, each once. */
function reasons(error: unknown): string[] {
  const messages: string[] = []
  for (let each = error; each instanceof Error; each = each.cause) if (!messages.includes(each.message)) messages.push(each.message)
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
