/** One client of the redis comparison as a process. */
import { Contender, type ContenderRequest, type RoundReport } from './compare/contender.ts'
import { serveParent } from './process/child.ts'

const contender = new Contender()

serveParent<ContenderRequest, RoundReport | undefined>((request) => contender.answer(request))
