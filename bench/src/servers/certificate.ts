/** A certificate for localhost that vouches for itself, made anew by openssl: no key is ever in the repository. */
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { UsageError } from '../process/command.ts'

/** As PEM text. */
export interface Certificate {
  readonly cert: string
  readonly key: string
}

const MISSING = `openssl was not found. It makes the certificate for TLS (Debian, Ubuntu: apt-get install openssl; Fedora: dnf install
openssl; macOS: brew install openssl).`

/**
 * Makes one with a key on the curve P-256, which is what most servers have.
 *
 * @throws UsageError when there is no openssl here.
 */
export async function makeCertificate(): Promise<Certificate> {
  const folder = await mkdtemp(join(tmpdir(), 'cenote-bench-'))
  const [certFile, keyFile] = [join(folder, 'crt'), join(folder, 'key')]
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
  const name = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost']
  try {
    await promisify(execFile)('openssl', ['req', '-x509', ...kind, ...name, '-keyout', keyFile, '-out', certFile])
    return { cert: await readFile(certFile, 'utf8'), key: await readFile(keyFile, 'utf8') }
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') throw new UsageError(MISSING)
    throw error
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
