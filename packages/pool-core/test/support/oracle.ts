/** The test's end of the oracle: a peer in its own thread, whose replies echo nonces and come when told. */
import { Worker } from 'node:worker_threads'
import type { OracleCommand, OracleEvent, OracleOperation } from '../fixtures/oracle-server.ts'

export interface Oracle {
  readonly endpoint: string
  /** Grows with each reply, and is notified: for a test that blocks its own thread. */
  readonly answered: Int32Array
  /** A request with a nonce that was never used before, and that nonce. */
  ask(operation: OracleOperation, argument?: number): { readonly nonce: string; readonly request: string }
  /** Resolves when the peer has read the nonce, written half of its reply, or all. */
  did(nonce: string, what: 'read' | 'half' | 'answered'): Promise<void>
  /** Lets the reply go that was held, whole or half. */
  release(nonce: string): void
  /** Whether connections are greeted at once. Those that wait are greeted when it is on again. */
  greet(on: boolean): void
  /** Writes to all connections, unasked. */
  stray(text: string): void
  /** Connections that are open now. */
  readonly connections: number
  /** Resolves when no connection is open. */
  empty(): Promise<void>
  /** Every nonce that was read, in order. */
  log(): Promise<readonly string[]>
  close(): Promise<void>
}

/** Starts an oracle on a free port of the loopback. */
export async function startOracle(): Promise<Oracle> {
  const answered = new Int32Array(new SharedArrayBuffer(4))
  const worker = new Worker(new URL('../fixtures/oracle-server.js', import.meta.url), { workerData: answered })
  const happened = new Set<string>()
  const waiting: { until: () => boolean; resolve: () => void }[] = []
  const logs = new Map<number, (nonces: readonly string[]) => void>()
  let connections = 0
  let port = 0
  let nonces = 0
  let ids = 0

  const look = (): void => {
    for (const waiter of waiting.splice(0)) {
      if (waiter.until()) waiter.resolve()
      else waiting.push(waiter)
    }
  }
  const when = (until: () => boolean): Promise<void> =>
    new Promise((resolve) => {
      waiting.push({ until, resolve })
      look()
    })
  const send = (command: OracleCommand): void => worker.postMessage(command)

  worker.on('message', (event: OracleEvent) => {
    if (event.type === 'listening') port = event.port
    else if (event.type === 'did') happened.add(`${event.what} ${event.nonce}`)
    else if (event.type === 'open') connections = event.count
    else logs.get(event.id)?.(event.nonces)
    look()
  })
  await Promise.race([
    when(() => port > 0),
    new Promise<never>((_, reject) => {
      worker.once('error', reject)
    }),
  ])

  return {
    endpoint: `tcp://127.0.0.1:${port}`,
    answered,
    ask(operation, argument = 0) {
      const nonce = `nonce-${nonces++}`
      return { nonce, request: `${nonce} ${operation} ${argument}` }
    },
    did: (nonce, what) => when(() => happened.has(`${what} ${nonce}`)),
    release: (nonce) => send({ type: 'release', nonce }),
    greet: (on) => send({ type: 'greet', on }),
    stray: (text) => send({ type: 'stray', text }),
    get connections() {
      return connections
    },
    empty: () => when(() => connections === 0),
    log: () =>
      new Promise((resolve) => {
        const id = ids++
        logs.set(id, resolve)
        send({ type: 'log', id })
      }),
    async close() {
      await worker.terminate()
    },
  }
}
