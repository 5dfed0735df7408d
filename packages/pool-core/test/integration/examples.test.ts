import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { build, stop } from 'esbuild'
import * as assert from 'uvu/assert'
import { guard } from '../../../pool-worker/test/kit/children.ts'
import { suite } from '../../../pool-worker/test/kit/kit.ts'
import { filesBelow, newFolder, root } from '../support/docs.ts'
import { closing } from '../support/peers.ts'
import { startResp } from '../support/resp-server.ts'

const test = suite('examples')
const open = closing(test)

/** Bundles an example as the packages are, and gives the file. */
async function built(name: string): Promise<string> {
  const outfile = join(newFolder('examples'), `${name}.js`)
  const options = { bundle: true, format: 'esm', platform: 'node', target: 'node20', packages: 'external' } as const
  await build({ ...options, entryPoints: [join(root, 'examples', `${name}.ts`)], outfile })
  await stop() // its service would stay, and hold two pipes
  return outfile
}

test('each example has its test here', () => {
  assert.equal(filesBelow('examples', '.ts'), ['examples/prometheus.ts'])
})

test("prometheus: a scrape tells the pool's numbers, each time as they are", async () => {
  const { port } = await open(startResp())
  const env = { ...process.env, ENDPOINT: `tcp://127.0.0.1:${port}`, PORT: '0' }
  const child = spawn(process.execPath, [await built('prometheus')], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  guard(child)
  const [printed] = await once(child.stdout.setEncoding('utf8'), 'data')
  const scrape = async (): Promise<string[]> => (await (await fetch(String(printed).trim())).text()).split('\n')
  const first = await scrape()
  for (const line of [
    '# TYPE cenote_connections gauge',
    'cenote_connections{pool="example",state="idle"} 1',
    'cenote_connections{pool="example",state="inUse"} 0',
    'cenote_connections_limit{pool="example"} 10',
    'cenote_pending{pool="example",for="connection"} 0',
    'cenote_requests_in_flight{pool="example"} 0',
    '# TYPE cenote_calls_total counter',
    'cenote_calls_total{pool="example",kind="requests",outcome="succeeded"} 1',
    'cenote_calls_total{pool="example",kind="requests",outcome="failed"} 0',
    'cenote_connections_opened_total{pool="example"} 1',
  ])
    assert.ok(first.includes(line), `${line}\nin\n${first.join('\n')}`)
  const busy = first.find((line) => line.startsWith('cenote_shard_busy_seconds_total{pool="example",shard="0"} '))
  assert.ok(Number(busy?.split(' ')[1]) > 0, 'no other metric of the same scrape has looked at it before')
  const second = await scrape()
  assert.ok(second.includes('cenote_calls_total{pool="example",kind="requests",outcome="succeeded"} 1'), 'it is not added to itself')
  child.kill('SIGTERM')
  const [code] = await once(child, 'exit')
  assert.is(code, 0)
})

test.run()
