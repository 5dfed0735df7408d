import { basename, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Protocol, protocolAt } from '@cenote/pool-core'
import type { ProtocolDefinition } from '@cenote/pool-core/shard'
import * as assert from 'uvu/assert'
import { suite } from '../../pool-worker/test/kit/kit.ts'
import { OPTION_NAMES, readOptions } from '../src/options.ts'
import { defaultOf, ENDPOINT } from './support/defaults.ts'
import {
  type Block,
  blocksOf,
  compile,
  examplesOf,
  filesBelow,
  markdownFiles,
  packages,
  promised,
  read,
  run,
  sources,
  transpile,
  writeBlocks,
} from './support/docs.ts'
import { closing, startPeer } from './support/peers.ts'
import { createPool } from './support/pools.ts'
import { startResp } from './support/resp-server.ts'
import { exportsOf, membersOf, undocumented } from './support/surface.ts'

const test = suite('docs', { timeoutMs: 60_000 })
const open = closing(test)

const markdown = markdownFiles()
const shown = markdown.flatMap(blocksOf)
const examples = sources().flatMap(examplesOf)
const blocks = [...shown, ...examples]
const folder = writeBlocks(blocks)

type Definition = { readonly default: ProtocolDefinition<string, string> }

interface Manifest {
  readonly name: string
  readonly version: string
  readonly dependencies?: Readonly<Record<string, string>>
}

const at = ({ file, line }: Block): string => `${file}:${line}`
const built = ({ path }: Block): string => join(folder, `${path}.js`)

/** Servers for all code in the docs; each port that it names becomes that of one of them. */
async function serveDocs(): Promise<void> {
  const resp = await open(startResp())
  const echo = await open(startPeer((socket) => void socket.pipe(socket)))
  await transpile(
    folder,
    blocks,
    new Map([
      [6379, resp.port],
      [7, echo.port],
      [7000, echo.port],
    ]),
  )
}

test('every block and every example compiles', () => {
  assert.ok(shown.length >= 5, 'the blocks are found')
  assert.ok(examples.length >= 15, 'the examples of the docstrings are found')
  assert.equal(compile(folder, blocks), [])
})

test('a block that does not compile is named by its file and line', () => {
  const code = "import { createPool } from '@cenote/pool-core'\n\nawait createPool({ endpoint: 'unix:/a', shards: 'two' })\n"
  const bad: Block = { file: 'docs/GUIDE.md', line: 10, code, path: 'docs-GUIDE-md/line-10', named: false }
  const problems = compile(writeBlocks([bad]), [bad])
  assert.is(problems.length, 1)
  assert.match(problems[0] ?? '', /^docs\/GUIDE\.md:12: error TS\d+: /)
})

test('no block escapes this test by another name for TypeScript', () => {
  for (const file of markdown)
    assert.not.match(read(file), /^ *(~~~|```+ *(?!ts\n)(js|javascript|typescript|tsx|mts|mjs)|``` +ts| +```ts)/im, file)
})

test('the programs in README and docs print what they say, and end by themselves', async () => {
  await serveDocs()
  for (const program of shown.filter(({ named }) => !named)) {
    const { code, printed, errors } = await run([built(program)])
    assert.is(errors, '', at(program))
    assert.is(code, 0, at(program))
    assert.equal(printed, promised(program), at(program))
  }
})

test('the examples in the docstrings run, and leave nothing that keeps a process alive', async () => {
  await serveDocs()
  const imports = examples.map((example) => `await import(${JSON.stringify(pathToFileURL(built(example)).href)})`)
  const { code, printed, errors } = await run(['--input-type=module', '--eval', imports.join('\n')])
  assert.is(errors, '')
  assert.is(code, 0)
  assert.equal(printed, examples.flatMap(promised))
})

test('a pool speaks the protocols of strings that the docs define', async () => {
  await serveDocs()
  const lines: string[] = []
  const server = await open(
    startPeer((socket) => {
      socket.setEncoding('utf8').on('data', (text: string) => {
        lines.push(...text.split('\n').slice(0, -1))
        socket.write(text)
      })
    }),
  )
  const modules = blocks.filter(({ code }) => code.includes('export default defineProtocol<string, string'))
  assert.ok(modules.some(({ file }) => file === 'README.md'))
  for (const module of modules) {
    const protocol: Protocol<string, string> = protocolAt<Definition>(pathToFileURL(built(module)))
    const pool = await createPool({ endpoint: server.endpoint, protocol, shards: 1, maxConnections: 1 })
    assert.is(await pool.request(`from ${at(module)}`), `from ${at(module)}`)
    await pool.close()
    assert.equal(lines.splice(0), [...(module.path.endsWith('/greeting') ? ['hello'] : []), `from ${at(module)}`])
  }
})

test("README's table names options that exist, and the page on options has the others", () => {
  const names: readonly string[] = OPTION_NAMES
  assert.ok(table().size >= 5, 'the table is found')
  assert.equal(
    [...table().keys()].filter((name) => !names.includes(name)),
    [],
  )
})

for (const [name, said] of table()) {
  test(`README says the default of ${name}`, () => {
    const settings = readOptions({ endpoint: ENDPOINT })
    assert.equal(settings[name as keyof typeof settings], defaultOf(name, said === '' ? 'required' : said, settings))
  })
}

test('every public export has a docstring, and every function and class an example', () => {
  const surface = ['index.ts', 'opentelemetry.ts', 'shard.ts', 'testing.ts'].flatMap((entry) =>
    exportsOf(`packages/pool-core/src/${entry}`),
  )
  assert.ok(surface.length > 50, 'the exports are found')
  assert.equal(undocumented(surface), [])
})

for (const name of ['pool', 'lease']) {
  test(`every public member in ${name}.ts has a docstring with an example`, () => {
    const members = membersOf(`packages/pool-core/src/${name}.ts`)
    assert.ok(members.length > 5, 'the members are found')
    const without = members.filter(({ docstring }) => !docstring.includes('@example'))
    assert.equal(
      without.map((member) => member.name),
      [],
    )
  })
}

test('the files that README names are there', () => {
  const text = /^## The house\n\n```\n(.*?)^```/ms.exec(read('README.md'))?.[1] ?? ''
  const there = [...sources(), ...filesBelow('bench', '.ts')].map((file) => basename(file))
  const named = [...text.matchAll(/[\w-]+\.ts/g)].map(([name]) => name)
  assert.ok(named.length > 20)
  assert.equal(
    named.filter((name) => !there.includes(name)),
    [],
  )
})

test('CHANGELOG and both packages name one version', () => {
  const manifests = packages().map((each) => JSON.parse(read(join(each, 'package.json'))) as Manifest)
  const newest = /^## (\d+\.\d+\.\d+)/m.exec(read('CHANGELOG.md'))?.[1]
  assert.equal(
    manifests.map(({ version }) => version),
    [newest, newest],
  )
  const core = manifests.find(({ name }) => name === '@cenote/pool-core')
  assert.is(core?.dependencies?.['@cenote/pool-worker'], newest)
  assert.match(read('README.md'), `Version ${newest?.replace(/\.\d+$/, '')}`)
})

/** README's table of options: the default in words, by name. A row may hold several options, and then as many defaults. */
function table(): Map<string, string> {
  const section = /^## Options\n(.*?)^## /ms.exec(read('README.md'))?.[1] ?? ''
  const rows = [...section.matchAll(/^\| (`.*?) \| *(.*?) *\| .* \|$/gm)]
  return new Map(
    rows.flatMap(([, names = '', said = '']) => {
      const each = names.split(', ').map((name) => name.replaceAll('`', ''))
      const defaults = each.length === 1 ? [said] : said.split(', ')
      assert.is(defaults.length, each.length, `a default for each of ${names}`)
      return each.map((name, index): [string, string] => [name, defaults[index] ?? ''])
    }),
  )
}

test.run()
