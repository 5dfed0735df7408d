/** Contenders that begin anew: a process for each round, because what is measured happens once in a process. */
import { startChild } from '../process/child.ts'
import type { ContenderRequest } from './contenders/contender.ts'
import type { ContenderName, SetupOf } from './contenders/index.ts'
import type { Context, Entrant, Figures } from './scenario.ts'

/** An entrant each of whose rounds starts a process, which opens the contender, does one round and ends. */
export function freshContender<Name extends ContenderName>(
  { cleanup, entry }: Pick<Context, 'cleanup' | 'entry'>,
  identity: Pick<Entrant, 'id' | 'name'>,
  contender: Name,
  setup: SetupOf<Name>,
  execArgv: readonly string[] = [],
): Entrant {
  return {
    ...identity,
    async round(roundMs) {
      const child = startChild<ContenderRequest, Figures>(entry, identity.name, execArgv)
      cleanup.add(child.stop)
      await child.ask({ ask: 'open', contender, setup })
      const figures = await child.ask({ ask: 'round', roundMs })
      await child.ask({ ask: 'close' })
      await child.stop()
      return figures
    },
  }
}
