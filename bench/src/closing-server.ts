/** The server of the comparison `stall` as a process. */
import { serveParent } from './process/child.ts'
import { serveClosing } from './servers/closing-server.ts'

serveParent<{ readonly ask: 'listen' }, number>(async () => (await serveClosing()).port)
