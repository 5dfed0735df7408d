/** The TLS echo server of the comparison `tls` as a process. */
import { serveParent } from './process/child.ts'
import type { Certificate } from './servers/certificate.ts'
import { serveTls } from './servers/tls-echo.ts'

serveParent<{ readonly ask: 'listen'; readonly certificate: Certificate }, number>(
  async ({ certificate }) => (await serveTls(certificate)).port,
)
