/** Certificates for TLS tests, made on the fly by openssl: no key is ever in the repository. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A certificate and its key, as PEM text and as the files that hold it. */
export interface Certificate {
  readonly cert: string
  readonly key: string
  readonly certFile: string
  readonly keyFile: string
}

export interface Certificates {
  /** The authority that signed `good`, `wrongName` and `expired`. */
  readonly ca: Certificate
  /** For localhost, 127.0.0.1 and ::1; also fit for a client. */
  readonly good: Certificate
  /** Valid, but for wrong.example alone. */
  readonly wrongName: Certificate
  /** For localhost; it ended in the year 2001. */
  readonly expired: Certificate
  /** For localhost, signed by an authority that nobody trusts. */
  readonly unknownAuthority: Certificate
  /** The folder of the files. */
  readonly folder: string
  /** Deletes the files. Also done when the process exits. */
  remove(): void
}

const LOCALHOST = 'DNS:localhost,IP:127.0.0.1,IP:::1'

/** Makes a set of certificates in a temporary folder; takes some 100 ms. */
export function makeCertificates(): Certificates {
  const folder = mkdtempSync(join(tmpdir(), 'cenote-tls-'))
  const remove = (): void => rmSync(folder, { recursive: true, force: true })
  process.once('exit', remove)
  const ca = authority(folder, 'ca')
  const stranger = authority(folder, 'stranger')
  return {
    ca,
    good: sign(folder, 'good', ca, LOCALHOST),
    wrongName: sign(folder, 'wrong-name', ca, 'DNS:wrong.example'),
    expired: sign(folder, 'expired', ca, LOCALHOST, true),
    unknownAuthority: sign(folder, 'unknown-authority', stranger, LOCALHOST),
    folder,
    remove: () => {
      process.off('exit', remove)
      remove()
    },
  }
}

function openssl(folder: string, args: string[]): void {
  execFileSync('openssl', args, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] })
}

function read(folder: string, name: string): Certificate {
  const certFile = join(folder, `${name}.crt`)
  const keyFile = join(folder, `${name}.key`)
  return { cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8'), certFile, keyFile }
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']

function authority(folder: string, name: string): Certificate {
  const extensions = ['-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=critical,keyCertSign,cRLSign']
  openssl(folder, [
    'req',
    '-x509',
    ...NEW_KEY,
    '-days',
    '30',
    '-subj',
    `/CN=Cenote test ${name}`,
    '-keyout',
    `${name}.key`,
    '-out',
    `${name}.crt`,
    ...extensions,
  ])
  return read(folder, name)
}

/** `openssl x509` takes no dates before version 3.4, so the expired one is made by the older `ca` command. */
function sign(folder: string, name: string, issuer: Certificate, names: string, expired = false): Certificate {
  openssl(folder, ['req', '-new', ...NEW_KEY, '-subj', `/CN=${name}`, '-keyout', `${name}.key`, '-out', `${name}.csr`])
  writeFileSync(join(folder, `${name}.ext`), `subjectAltName=${names}\nextendedKeyUsage=serverAuth,clientAuth\n`)
  const issuing = ['-in', `${name}.csr`, '-out', `${name}.crt`, '-extfile', `${name}.ext`]
  if (expired) {
    writeFileSync(join(folder, 'index.txt'), '')
    writeFileSync(
      join(folder, 'ca.cnf'),
      '[ca]\ndefault_ca=x\n[x]\ndatabase=index.txt\nnew_certs_dir=.\npolicy=p\ndefault_md=sha256\nrand_serial=yes\n[p]\ncommonName=supplied\n',
    )
    const dates = ['-startdate', '20000101000000Z', '-enddate', '20010101000000Z']
    openssl(folder, [
      'ca',
      '-batch',
      '-notext',
      '-config',
      'ca.cnf',
      '-cert',
      issuer.certFile,
      '-keyfile',
      issuer.keyFile,
      ...dates,
      ...issuing,
    ])
  } else {
    openssl(folder, ['x509', '-req', '-days', '30', '-CA', issuer.certFile, '-CAkey', issuer.keyFile, '-CAcreateserial', ...issuing])
  }
  return read(folder, name)
}
