/** A contender written in JavaScript: a process of its own, which loads one library only. The parent's end. */
import { type Child, startChild } from '../process/child.ts'
import type { ContenderRequest } from './contenders/contender.ts'
import type { ContenderName, SetupOf } from './contenders/index.ts'
import type { Context, Entrant, Figures } from './scenario.ts'

/**
 * Starts the process and has it open the contender of this name. It is stopped with the stage.
 *
 * @param setup - What the contender's `open` takes.
 * @param execArgv - Flags of Node for this process.
 */
export async function startContender<Name extends ContenderName>(
  { cleanup, entry }: Pick<Context, 'cleanup' | 'entry'>,
  identity: Pick<Entrant, 'id' | 'name'>,
  contender: Name,
  setup: SetupOf<Name>,
  execArgv: readonly string[] = [],
): Promise<Entrant> {
  const child: Child<ContenderRequest, Figures> = startChild(entry, identity.name, execArgv)
  cleanup.add(child.stop)
  await child.ask({ ask: 'open', contender, setup })
  return {
    ...identity,
    round: (roundMs) => child.ask({ ask: 'round', roundMs }),
    close: async () => void (await child.ask({ ask: 'close' })),
  }
}
