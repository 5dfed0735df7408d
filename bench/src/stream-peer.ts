/** The peer of the stream comparison as a process. */
import { serveParent } from './process/child.ts'
import { listen } from './servers/stream-peer.ts'

serveParent<{ readonly ask: 'listen' }, number>(() => listen())
