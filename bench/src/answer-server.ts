/** The server of prepared answers in JavaScript as a process. */
import { serveParent } from './process/child.ts'
import { serveAnswers } from './servers/prepared-answers.ts'

serveParent<{ readonly ask: 'listen'; readonly file: string }, number>(async ({ file }) => (await serveAnswers(file)).port)
