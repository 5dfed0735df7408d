/** Checks of the options that are objects of their own: credentials, protocol, handlers, TLS. None prints a value. */
import { AsyncResource } from 'node:async_hooks'
import { badOption, type Credentials, type Endpoint, type ProtocolReference, type TlsSettings } from '@cenote/pool-worker'
import { type Check, type Complete, fileUrl, flag, oneOf, ownValues, record, secretBytes, secretText, texts } from './checks.ts'

const tlsVersion = oneOf('TLSv1.2', 'TLSv1.3')

/** TLS options: those that can be cloned. */
export const checkTls: Check<Complete<TlsSettings>> = record<TlsSettings>({
  ca: (value, name) => (Array.isArray(value) ? Object.freeze(value.map((item) => secretBytes(item, name))) : secretBytes(value, name)),
  cert: secretBytes,
  key: secretBytes,
  passphrase: secretText,
  servername: secretText,
  ALPNProtocols: texts,
  ciphers: secretText,
  minVersion: tlsVersion,
  maxVersion: tlsVersion,
  rejectUnauthorized: flag,
})

const checkSignIn = record<Credentials>({ username: secretText, password: secretText })

/** User name and password, as the function that is asked for them. */
export const checkCredentials: Check<(endpoint: Endpoint) => Promise<Credentials>> = (value, name) => {
  if (typeof value === 'function')
    return AsyncResource.bind(async (endpoint: Endpoint) => checkSignIn(await value(endpoint), `${name}: what the function returned`))
  const fixed = checkSignIn(value, name)
  return async () => fixed
}

/** A protocol: the copy of its reference. */
export const checkProtocol: Check<ProtocolReference> = (value, name) => {
  if (typeof value === 'function') throw badOption(name, 'must be a protocol, not the function that makes one: call it, as in resp()')
  const own = ownValues(value, name, 'such as resp(), or protocolAt(url)')
  const reference = own.get('reference')
  if (reference === undefined) throw badOption(name, 'must be a protocol such as resp(); a module of your own is given as protocolAt(url)')
  const parts = ownValues(reference, name, 'made by resp() and the like, or protocolAt(url)')
  const builtin = parts.get('builtin')
  const url = parts.get('url')
  if ((typeof builtin === 'string') === (typeof url === 'string'))
    throw badOption(name, 'must be made by resp() and the like, or protocolAt(url)')
  const options = clone(parts.get('options'), name)
  return Object.freeze(typeof builtin === 'string' ? { builtin, options } : { url: fileUrl(url, name), options })
}

function clone(options: unknown, name: string): unknown {
  try {
    return structuredClone(options)
  } catch {
    throw badOption(name, 'its options cannot be cloned into a worker') // without the cause, which prints what it met
  }
}

/** A handlers module: its URL. */
export const checkHandlers: Check<string> = (value, name) => fileUrl(ownValues(value, name, 'made by handlersAt(url)').get('url'), name)
