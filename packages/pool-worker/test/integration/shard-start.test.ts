/** How a shard starts: its modules, what is wrong with them, its control plane and what that refuses. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { MessageChannel } from 'node:worker_threads'
import * as comlink from 'comlink'
import * as assert from 'uvu/assert'
import { BEAT_BYTES } from '../../src/beats.ts'
import start from '../../src/entry.ts'
import { decodeError, PoolError } from '../../src/errors.ts'
import { loadHandlers, loadProtocol } from '../../src/load.ts'
import type { Settled, ShardControl, StartedShard } from '../../src/messages.ts'
import { createRecorder } from '../../src/recorder.ts'
import { createRing } from '../../src/ring.ts'
import { transfer } from '../../src/transfer.ts'
import { rejects, suite } from '../kit/kit.ts'
import { PLAIN_SETTINGS } from './shard-rig.ts'

const test = suite('the start of a shard')

let folder: string

test.before(() => {
  folder = mkdtempSync(join(tmpdir(), 'cenote-modules-'))
})
test.after(() => rmSync(folder, { recursive: true }))

function module(name: string, source: string): string {
  const path = join(folder, name)
  writeFileSync(path, source)
  return pathToFileURL(path).href
}

const CODEC = '{ encode() {}, decode() {}, createFramer() {} }'

test('a built-in protocol is found by name, and its options are frozen', async () => {
  const loaded = await loadProtocol({ builtin: 'line', options: { delimiter: '\r\n' } })
  assert.is(loaded.form, 'codec')
  assert.is(loaded.pipelining, 64)
  assert.ok(Object.isFrozen(loaded.options))
  await rejects(loadProtocol({ builtin: 'nonsense', options: undefined }), 'NO_SHARD')
})

test("a user's module is found by URL, codec or client", async () => {
  const codec = await loadProtocol({
    url: module('good.mjs', `export default { name: 'good', pipelining: 3, codec: (options) => (${CODEC}) }`),
    options: {},
  })
  assert.equal([codec.form, codec.pipelining], ['codec', 3])
  const client = await loadProtocol({ url: module('client.mjs', `export default { name: 'c', connect() {}, execute() {} }`), options: {} })
  assert.is(client.form, 'client')
})

test('a module that is absent, throws, or exports the wrong thing is NO_SHARD with the cause', async () => {
  const absent = await rejects(loadProtocol({ url: pathToFileURL(join(folder, 'absent.js')).href, options: {} }), 'NO_SHARD')
  assert.match(absent.message, /absent\.js nor .*absent\.ts nor .*absent\.mts/)
  const throws = await rejects(loadProtocol({ url: module('throws.mjs', `throw new RangeError('at load')`), options: {} }), 'NO_SHARD')
  assert.is((throws.cause as Error).message, 'at load')
  const bad = [
    'export const x = 1',
    'export default 1',
    `export default { name: 'x' }`,
    `export default { name: 'x', codec: {} }`,
    `export default { codec: ${CODEC} }`,
  ]
  for (const [i, source] of bad.entries()) await rejects(loadProtocol({ url: module(`bad${i}.mjs`, source), options: {} }), 'NO_SHARD')
  await rejects(
    loadProtocol({ url: module('pipe.mjs', `export default { name: 'x', pipelining: 0, codec: ${CODEC} }`), options: {} }),
    'NO_SHARD',
  )
})

test('a handlers module gives its functions, and without any is NO_SHARD', async () => {
  assert.equal(
    [...(await loadHandlers(module('handlers.mjs', 'export function a() {}; export const b = () => 1; export const c = 3'))).keys()],
    ['a', 'b'],
  )
  await rejects(loadHandlers(module('none.mjs', 'export const a = 1')), 'NO_SHARD')
  assert.is((await loadHandlers(undefined)).size, 0)
})

async function started(handlers?: string): Promise<{ result: Settled<unknown>; controls: MessageChannel }> {
  const bells = new MessageChannel()
  const lanes = new MessageChannel()
  const controls = new MessageChannel()
  const parcels = new MessageChannel()
  const memory = {
    toShard: createRing(4096, true),
    toMain: createRing(4096, true),
    words: new SharedArrayBuffer(64),
    beats: new SharedArrayBuffer(BEAT_BYTES),
    recorder: createRecorder(true),
  }
  const ports = { bellPort: bells.port2, lanePort: lanes.port2, controlPort: controls.port2, parcelPort: parcels.port2 }
  const result = await start({ settings: { ...PLAIN_SETTINGS, handlers }, memory, ...ports })
  parcels.port1.close()
  return { result, controls }
}

test('the start task says what the shard is; its control closes', async () => {
  const { result, controls } = await started()
  if (!result.ok) throw new Error('it did not start')
  const { info, delay } = result.value as StartedShard // what the start task gives
  assert.equal(info, { form: 'codec', protocol: 'line', pipelining: 64, hasProbe: false, hasReset: false, handlers: [] })
  assert.type(delay.max, 'number')
  const control = comlink.wrap<ShardControl>(controls.port1 as unknown as comlink.Endpoint) // as the caller's side does
  await control.close()
  controls.port1.close()
})

test('a start that fails crosses as data', async () => {
  const { result, controls } = await started(pathToFileURL(join(folder, 'nowhere.mjs')).href)
  controls.port1.close()
  if (result.ok) throw new Error('it started')
  const error = decodeError(result.error)
  assert.ok(PoolError.is(error))
  assert.is((error as PoolError).code, 'NO_SHARD')
})

test('the control plane drops whatever is not a call of its methods', async () => {
  const { controls } = await started()
  const { port1 } = controls
  const answers: unknown[] = []
  const answered = new Promise<void>((resolve) => {
    port1.on('message', (message: { id?: unknown }) => {
      answers.push(message.id)
      resolve()
    })
  })
  const raw = (value: unknown) => ({ type: 'RAW', value })
  port1.postMessage({ id: 'set', type: 'SET', path: ['close', '__proto__', 'polluted'], value: raw(1) })
  port1.postMessage({ id: 'deep', type: 'APPLY', path: ['close', 'constructor'], argumentList: [raw('return 1')] })
  port1.postMessage({ id: 'construct', type: 'CONSTRUCT', path: ['close'], argumentList: [] })
  port1.postMessage({ id: 'get', type: 'GET', path: ['close'] })
  port1.postMessage({ id: 'other', type: 'APPLY', path: ['toString'], argumentList: [] })
  port1.postMessage({ id: 'endpoint', type: 'ENDPOINT', path: [] })
  port1.postMessage('nonsense')
  port1.postMessage({ id: 'unknown', type: 'APPLY', path: ['start'], argumentList: [] })
  port1.postMessage({ id: 'good', type: 'APPLY', path: ['close'], argumentList: [] })
  await answered
  assert.equal(answers, ['good'])
  assert.is(({} as { polluted?: unknown }).polluted, undefined)
  port1.close()
})

test('transfer keeps its value', () => {
  const value = new Float64Array(4)
  assert.is(transfer(value, [value.buffer as ArrayBuffer]), value)
})

test.run()
