/** The control plane's end in the shard: what comlink exposes, and what it never gets to see. */
import type { MessagePort } from 'node:worker_threads'
import * as comlink from 'comlink'
import type { ShardControl } from './messages.ts'

const METHODS: ReadonlySet<unknown> = new Set(['close'])

/** Whether a raw message is a call of one of the methods with plain arguments, or the end of the proxy. */
function isCall(data: unknown): boolean {
  if (typeof data !== 'object' || data === null) return false
  const { type, path, argumentList } = data as { type?: unknown; path?: unknown; argumentList?: unknown }
  if (type === 'RELEASE') return true
  if (type !== 'APPLY' || !Array.isArray(path) || path.length !== 1 || !METHODS.has(path[0])) return false
  return Array.isArray(argumentList) && argumentList.every((argument: { type?: unknown } | null) => argument?.type === 'RAW')
}

/**
 * Exposes a control on a port of its own. Whatever is not a call of its method is dropped before comlink sees it:
 * comlink would set properties and construct objects along any path.
 */
export function exposeControl(control: ShardControl, port: MessagePort): void {
  const methods: ShardControl = { close: () => control.close() }
  const listeners = new Map<unknown, (event: { data: unknown }) => void>()
  const guarded = {
    addEventListener(type: string, listener: (event: unknown) => void) {
      const checked = (event: { data: unknown }) => {
        if (isCall(event.data)) listener(event)
      }
      listeners.set(listener, checked)
      target.addEventListener(type, checked)
    },
    removeEventListener(type: string, listener: (event: unknown) => void) {
      const checked = listeners.get(listener)
      if (checked !== undefined) target.removeEventListener(type, checked)
    },
    postMessage: (message: object, transfers?: []) => port.postMessage(message, transfers),
    start: () => port.start(),
  }
  // A port of Node is an EventTarget of 'message' events too; its types say only that it is an emitter.
  const target = port as unknown as {
    addEventListener(type: string, listener: (event: { data: unknown }) => void): void
    removeEventListener(type: string, listener: (event: { data: unknown }) => void): void
  }
  comlink.expose(Object.freeze(Object.assign(Object.create(null), methods)), guarded as unknown as comlink.Endpoint) // as above: the browser's types
}
