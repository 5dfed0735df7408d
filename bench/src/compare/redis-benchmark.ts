/** `redis-benchmark` as an entrant: the limit of what a client in C gets out of the same server. It verifies no reply. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { KEYS, keyAt } from './contenders/resp-gets.ts'
import type { Entrant, Missing } from './scenario.ts'

const ID = 'redis-benchmark'
const PIPELINE = 16
const CONNECTIONS = 16
/** What the first round, which is not counted, makes: the others take as many as fill their time at its speed. */
const FIRST_REQUESTS = 100_000

/** The entrant against a server on this port, or why there is none. `REDIS_BENCHMARK` names another program than that on the PATH. */
export async function redisBenchmark(port: number): Promise<Entrant | Missing> {
  const program = process.env.REDIS_BENCHMARK ?? 'redis-benchmark'
  const name = `redis-benchmark -c ${CONNECTIONS} -P ${PIPELINE}`
  const run = async (requests: number): Promise<number> => {
    const where = ['-h', '127.0.0.1', '-p', String(port), '-c', String(CONNECTIONS), '-P', String(PIPELINE)]
    const what = ['-n', String(requests), '-r', String(KEYS), '--csv', 'GET', keyAt(0).replace(/\d+$/, '__rand_int__')]
    const { stdout } = await promisify(execFile)(program, [...where, ...what])
    return speedOf(stdout)
  }
  if (!(await isThere(program))) return { id: ID, name, why: 'redis-benchmark was not found. Debian, Ubuntu: apt-get install redis-tools' }
  let requestsPerSecond: number | undefined
  return {
    id: ID,
    name,
    async round(roundMs) {
      const wanted = requestsPerSecond === undefined ? FIRST_REQUESTS : (requestsPerSecond * roundMs) / 1_000
      const requests = Math.max(1, Math.round(wanted / PIPELINE)) * PIPELINE // it makes whole batches
      requestsPerSecond = await run(requests)
      return { requests, requestsPerSecond }
    },
  }
}

/** Reads the second field of the last line: `"GET key","1234567.80","0.103",…`. */
export function speedOf(csv: string): number {
  const speed = Number(/^"[^\n]*?","([\d.]+)"/.exec(csv.trimEnd().split('\n').at(-1) ?? '')?.[1])
  if (!(speed > 0)) throw new Error(`redis-benchmark printed no speed: ${csv}`)
  return speed
}

async function isThere(program: string): Promise<boolean> {
  try {
    await promisify(execFile)(program, ['--version'])
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false
    throw error
  }
}
