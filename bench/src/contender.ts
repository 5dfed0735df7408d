/** One contender of a comparison as a process. */
import { ContenderProcess, type ContenderRequest } from './compare/contenders/contender.ts'
import type { Figures } from './compare/scenario.ts'
import { serveParent } from './process/child.ts'

const contender = new ContenderProcess()

serveParent<ContenderRequest, Figures>((request) => contender.answer(request))
