import { Noted } from '@cenote/pool-worker'
import * as assert from 'uvu/assert'
import { suite } from '../../pool-worker/test/kit/kit.ts'
import { CallerNoted, PoolNoted } from '../src/telemetry/flight.ts'
import { ATTRIBUTES, CONNECTION_METRICS, OWN_METRICS, SPANS } from '../src/telemetry/names.ts'
import { read } from './support/docs.ts'
import { bodyOf, fieldsOf } from './support/surface.ts'

const test = suite('docs-observability')

const PAGE = 'docs/observability.md'

/** The cells of the rows below a heading, up to the next one. */
function rowsUnder(heading: string): string[][] {
  const [, text = ''] = new RegExp(`^#+ ${heading}\\n(.*?)(?=^#|$(?![^]))`, 'ms').exec(read(PAGE)) ?? []
  const rows = [...text.matchAll(/^\| (`.*) \|$/gm)].map(([, row = '']) => row.split(/ \|(?: |$)/))
  assert.ok(rows.length > 0, `there is a table under ${heading}`)
  return rows
}

const namesIn = (cell = ''): string[] => [...cell.matchAll(/`([\w.-]+)`/g)].map(([, name = '']) => name)
const toldUnder = (heading: string): string[] => rowsUnder(heading).flatMap(([first]) => namesIn(first))

function assertTold(heading: string, expected: readonly string[]): void {
  assert.equal(toldUnder(heading).sort(), [...expected].sort(), `${PAGE}, under ${heading}`)
}

const STATES = fieldsOf('packages/pool-core/src/books/counts.ts', 'ConnectionCounts')

test('every field of the numbers has a row, and no row is of another', () => {
  assertTold('The pool', [...fieldsOf('packages/pool-core/src/stats.ts', 'PoolStats'), ...STATES])
  assertTold('Counters', fieldsOf('packages/pool-core/src/stats.ts', 'Counters'))
  assertTold('Shards', fieldsOf('packages/pool-core/src/stats.ts', 'ShardStats'))
  assertTold('Endpoints', fieldsOf('packages/pool-core/src/stats.ts', 'EndpointStats'))
})

test('every event has a row, with what comes with it', () => {
  assertTold('Events', fieldsOf('packages/pool-core/src/telemetry/events.ts', 'PoolEvents'))
  const body = bodyOf('packages/pool-core/src/telemetry/events.ts', 'PoolEvents')
  for (const [event = '', fields = ''] of rowsUnder('Events')) {
    const [name = ''] = namesIn(event)
    const [, declared = ''] = new RegExp(`^ {2}readonly ${name}: (.*?)(?=^ {2}(?:readonly|/)|$(?![^]))`, 'ms').exec(body) ?? []
    const leak = fieldsOf('packages/pool-core/src/telemetry/events.ts', 'LeakEvent').filter((field) => !declared.includes(`'${field}'`))
    const expected = declared.includes('LeakEvent') ? leak : [...declared.matchAll(/readonly (\w+)/g)].map(([, field = '']) => field)
    assert.equal(namesIn(fields), expected, name)
  }
})

test('every field that a channel tells has a row', () => {
  assertTold('Calls', fieldsOf('packages/pool-core/src/telemetry/traces.ts', 'CallTrace'))
  assertTold('Connects', fieldsOf('packages/pool-core/src/telemetry/traces.ts', 'ConnectTrace'))
})

test('every metric has a row with its kind and unit; every attribute and span is named', () => {
  const expected = [...Object.values(CONNECTION_METRICS), ...Object.values(OWN_METRICS)].map(({ name, kind, unit }) => [name, kind, unit])
  assert.equal(
    rowsUnder('OpenTelemetry').map(([name, kind, unit = '']) => [...namesIn(name), kind, unit.replaceAll('`', '')]),
    expected,
  )
  const text = read(PAGE)
  for (const name of [...Object.values(ATTRIBUTES).filter((attribute) => attribute !== ATTRIBUTES.system), ...Object.values(SPANS)])
    assert.ok(text.includes(`\`${name}\``), name)
})

test('every event of the flight recorders has a row', () => {
  assertTold('Callers', Object.keys(CallerNoted))
  assertTold("The pool's own", Object.keys(PoolNoted))
  assertTold("A shard's", Object.keys(Noted))
})

test('no two events of a recorder have one number', () => {
  for (const numbers of [CallerNoted, PoolNoted, Noted].map((names): number[] => Object.values(names)))
    assert.equal(
      [...numbers].sort((one, other) => one - other),
      [...numbers.keys()],
    )
})

test.run()
