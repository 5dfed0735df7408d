/** What runs in a contender's process. */
import type { Figures } from '../scenario.ts'
import { CONTENDERS, type ContenderName } from './index.ts'

/** One way to do the work of a scenario, ready for rounds. */
export interface Contender {
  /** Works for so many milliseconds; see `measured`. Throws when a reply is wrong. */
  round(roundMs: number): Promise<Figures>
  close(): Promise<void>
}

/** What the parent asks for, in this order: open, round … round, close. */
export type ContenderRequest =
  | { readonly ask: 'open'; readonly contender: ContenderName; readonly setup: unknown }
  | { readonly ask: 'round'; readonly roundMs: number }
  | { readonly ask: 'close' }

/** The state of the process: one contender at work. */
export class ContenderProcess {
  #contender: Contender | undefined

  /** Carries out one request; only a round has figures. */
  async answer(request: ContenderRequest): Promise<Figures> {
    switch (request.ask) {
      case 'open': {
        const { open } = await CONTENDERS[request.contender]()
        this.#contender = await open(request.setup as never) // `startContender` takes the setup of this contender alone
        return {}
      }
      case 'round':
        if (this.#contender === undefined) throw new Error('not opened')
        return await this.#contender.round(request.roundMs)
      case 'close':
        await this.#contender?.close()
        return {}
    }
  }
}
