/** The control plane's end in the shard: what comlink exposes, and what it never gets to see. */
import type { MessagePort } from 'node:worker_threads'
import * as comlink from 'comlink'
import { encodeError } from './errors.ts'
import type { Settled, ShardControl } from './messages.ts'
import type { Shard } from './shard.ts'
import type { ShardLink } from './slot-link.ts'
import { transferOf } from './transfer.ts'
import { notCloneable } from './uncloneable.ts'

/** The control of a shard by one caller's thread. */
export class Control implements ShardControl {
  readonly #shard: Shard
  readonly #link: ShardLink

  constructor(shard: Shard, link: ShardLink) {
    this.#shard = shard
    this.#link = link
  }

  async execute(callId: number, name: string, input: unknown): Promise<Settled<unknown>> {
    this.#link.pump() // EXECUTE was published without a ring of the bell: this call is it
    return this.#link.runs.called(callId, name, input)
  }

  async close(): Promise<void> {
    await this.#shard.close()
  }
}

const METHODS: ReadonlySet<unknown> = new Set(['execute', 'close'])

/** Whether a raw message is a call of one of the methods with plain arguments, or the end of the proxy. */
function isCall(data: unknown): boolean {
  if (typeof data !== 'object' || data === null) return false
  const { type, path, argumentList } = data as { type?: unknown; path?: unknown; argumentList?: unknown }
  if (type === 'RELEASE') return true
  if (type !== 'APPLY' || !Array.isArray(path) || path.length !== 1 || !METHODS.has(path[0])) return false
  return Array.isArray(argumentList) && argumentList.every((argument: { type?: unknown } | null) => argument?.type === 'RAW')
}

/**
 * Exposes a control on a port of its own. Whatever is not a call of its two methods is dropped before comlink sees it:
 * comlink would set properties and construct objects along any path.
 */
export function exposeControl(control: ShardControl, port: MessagePort): void {
  const methods: ShardControl = {
    execute: async (callId, name, input) => movable(await control.execute(callId, name, input)),
    close: () => control.close(),
  }
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
    postMessage(message: object, transfers?: []) {
      try {
        port.postMessage(message, transfers)
      } catch (cause) {
        port.postMessage({ ...message, value: unsent(cause) })
      }
    },
    start: () => port.start(),
  }
  // A port of Node is an EventTarget of 'message' events too; its types say only that it is an emitter.
  const target = port as unknown as {
    addEventListener(type: string, listener: (event: { data: unknown }) => void): void
    removeEventListener(type: string, listener: (event: { data: unknown }) => void): void
  }
  comlink.expose(Object.freeze(Object.assign(Object.create(null), methods)), guarded as unknown as comlink.Endpoint) // as above: the browser's types
}

/** The answer in place of one that cannot cross: of all that is sent here, only a handler's result may be so. */
function unsent(cause: unknown): Settled<never> {
  return { ok: false, error: encodeError(notCloneable("the handler's result", cause, 'handler', 'executed')) }
}

/** comlink keeps transfer lists by object: what the handler said of its value holds for the wrapper too. */
function movable(result: Settled<unknown>): Settled<unknown> {
  const list = result.ok ? transferOf(result.value) : []
  return list.length === 0 ? result : comlink.transfer(result, list as unknown as []) // the browser's Transferable is another type
}
