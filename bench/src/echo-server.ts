/** The echo server in JavaScript as a process. */
import { serveParent } from './process/child.ts'
import { serveEcho } from './servers/echo-server.ts'

serveParent<{ readonly ask: 'listen' }, number>(async () => (await serveEcho()).port)
