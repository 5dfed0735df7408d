/** One client in a process of its own: rounds of GETs by many callers, every value verified. */
import { mainThreadCpuMs } from '../measure/cpu.ts'
import { type Client, type ClientName, openClient } from './clients.ts'

/** What the parent asks for: open, round … round, close. */
export type ContenderRequest =
  | { readonly ask: 'open'; readonly client: ClientName; readonly port: number; readonly callers: number }
  | { readonly ask: 'round'; readonly durationMs: number }
  | { readonly ask: 'close' }

/** One round's figures. */
export interface RoundReport {
  readonly requests: number
  readonly requestsPerSecond: number
  readonly mainCpuMicrosecondsPerRequest: number
}

const KEYS = 1024
const VALUE_BYTES = 64

/** The state of the process: one client at work. */
export class Contender {
  #client: Client | undefined
  #callers = 0
  #keys = Array.from({ length: KEYS }, (_, index) => `cenote-bench:${index}`)
  #values = Array.from({ length: KEYS }, (_, index) => `value of key ${index} `.padEnd(VALUE_BYTES, '0123456789abcdef'))

  /** Carries out one request; only a round has something to report. */
  async answer(request: ContenderRequest): Promise<RoundReport | undefined> {
    switch (request.ask) {
      case 'open':
        this.#callers = request.callers
        this.#client = await openClient(request.client, request.port, request.callers)
        for (const [index, key] of this.#keys.entries()) await this.#client.set(key, this.#values[index] ?? '')
        return undefined
      case 'round':
        return await this.#round(request.durationMs)
      case 'close':
        await this.#client?.close()
        return undefined
    }
  }

  async #round(durationMs: number): Promise<RoundReport> {
    const client = this.#client
    if (client === undefined) throw new Error('not opened')
    const [start, startCpu] = [performance.now(), mainThreadCpuMs()]
    let requests = 0
    const call = async (first: number) => {
      for (let index = first; performance.now() - start < durationMs; index = (index + 1) % KEYS) {
        const value = await client.get(this.#keys[index] ?? '')
        if (value !== this.#values[index]) throw new Error(`${this.#keys[index]}: a wrong value arrived: ${String(value)}`)
        requests++
      }
    }
    await Promise.all(Array.from({ length: this.#callers }, (_, caller) => call((caller * 7) % KEYS)))
    const elapsedMs = performance.now() - start
    return {
      requests,
      requestsPerSecond: (requests / elapsedMs) * 1_000,
      mainCpuMicrosecondsPerRequest: ((mainThreadCpuMs() - startCpu) / requests) * 1_000,
    }
  }
}
