/** The work of the scenarios whose requests are messages behind their length: a closed loop over any client, every answer looked at. */
import { documentRequest } from '../../answers/orders.ts'
import { checkBody, patterned } from '../../framed/bodies.ts'
import type { ClientSetup, FramedClient } from '../../framed/client.ts'
import type { Contender } from './contender.ts'
import { closedLoop, Latency, measured } from './measured.ts'

/** What a contender is told. */
export interface FramedSetup extends ClientSetup {
  readonly callers: number
  readonly work: Work
  /** Whether the event loop's delay is sampled: a thousand timers a second, which wake a thread that sleeps between two replies. */
  readonly loopDelay: boolean
}

/** Bodies that come back as they went, or one answer of so many bytes, which was prepared with `seed`. */
export type Work = { readonly echo: number } | { readonly answer: number; readonly seed: number }

const MIB = 2 ** 20
const BODIES = 64 // so many different ones are echoed, so that a reply given to the wrong caller is seen

/** A contender whose callers ask as fast as they are answered. */
export function framed(client: FramedClient, { callers, work, loopDelay }: FramedSetup): Contender {
  const { bytes, call, check } = caller(client, work)
  return {
    async round(roundMs) {
      const latency = new Latency()
      const figures = await measured(() => closedLoop(callers, roundMs, call, check, latency), { loopDelay })
      const mib = bytes / MIB
      return {
        ...figures,
        ...latency.read(),
        mibPerSecond: figures.requestsPerSecond * mib,
        mainCpuMicrosecondsPerMib: figures.mainCpuMicrosecondsPerRequest / mib,
        cpuMicrosecondsPerMib: figures.cpuMicrosecondsPerRequest / mib,
      }
    },
    close: () => client.close(),
  }
}

interface Caller {
  /** How long each reply is. */
  readonly bytes: number
  call(caller: number, turn: number): Promise<Uint8Array>
  check(reply: Uint8Array, caller: number, turn: number): void
}

function caller(client: FramedClient, work: Work): Caller {
  if ('answer' in work) {
    const expected = patterned(work.answer, work.seed)
    const body = documentRequest(0)
    return { bytes: work.answer, call: () => client.request(body), check: (reply) => checkBody(reply, expected) }
  }
  const bodies = Array.from({ length: BODIES }, (_, index) => patterned(work.echo, index))
  const bodyOf = (index: number, turn: number) => bodies[(index + turn) % BODIES] as Buffer // in range
  return {
    bytes: work.echo,
    call: (index, turn) => client.request(bodyOf(index, turn)),
    check: (reply, index, turn) => checkBody(reply, bodyOf(index, turn)),
  }
}
