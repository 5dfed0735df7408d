/** The bench's own RESP server as a process. */
import { serveParent } from './process/child.ts'
import { Store, serve } from './servers/resp-server.ts'

serveParent<{ readonly ask: 'listen' }, number>(async () => (await serve(new Store())).port)
