import * as assert from 'uvu/assert'
import { suite } from '../../pool-worker/test/kit/kit.ts'
import { ANSWERS } from '../src/foreign.ts'
import { OPTION_NAMES } from '../src/options.ts'
import { LIBRARIES, refusal } from './support/libraries.ts'
import { fieldsTold } from './support/options-page.ts'
import { membersOf } from './support/surface.ts'

const test = suite('foreign')

for (const { library, names, shared } of LIBRARIES) {
  test(`every option of ${library} that is not ours is refused with ours, or with why there is none`, () => {
    for (const name of names.split(' ')) {
      const [start] = /^(\w+: is unknown here; Cenote's is \w|\w+: is unknown here, and Cenote has none: \w)/.exec(refusal(name)) ?? []
      assert.ok(start?.startsWith(`${name}: `), refusal(name))
    }
  })

  if (shared !== undefined)
    test(`what ${library} calls as we do is an option`, () => {
      const ours: readonly string[] = OPTION_NAMES
      for (const name of shared.split(' ')) assert.ok(ours.includes(name), name)
    })
}

test('no answer names what does not exist', () => {
  const members = membersOf('packages/pool-core/src/pool.ts').map(({ name }) => `pool.${name}`)
  const there = [...OPTION_NAMES, ...fieldsTold().map(({ name }) => name), ...members]
  assert.ok(members.length > 10, 'the members are found')
  for (const answer of ANSWERS) assert.ok(there.includes(answer.replace(/\(.*\)$/, '')), answer)
})

test("what is said of a server's hint about keep-alive names the calls that take one", () => {
  for (const name of ['keepAliveMaxTimeout', 'maxKeepAliveTimeout', 'keepAliveTimeoutThreshold'])
    for (const call of ['connection.keepAlive(ms)', 'release({ keepAliveMs })']) assert.ok(refusal(name).includes(call), refusal(name))
})

test("other pools' names are not ours to shadow", () => {
  const ours: readonly string[] = OPTION_NAMES
  for (const { names } of LIBRARIES) for (const name of names.split(' ')) assert.not.ok(ours.includes(name), name)
})

test.run()
