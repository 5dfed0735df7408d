/** What is done at the end of a turn, in which order, and how many turns it takes. */
import * as assert from 'uvu/assert'
import { Turns } from '../src/turns.ts'
import { realWorld } from '../src/world.ts'
import type { Flushable } from '../src/writes.ts'
import { suite } from './kit/kit.ts'

const test = suite('turns')

/** Turns that end when the test says so, with one link that notes what is done. */
function byHand(): {
  turns: Turns
  done: string[]
  callbacks: (() => void)[]
  waiting: () => number
  endTurn(): void
  onRead(action: () => void): void
  restless(turns: number): void
} {
  const callbacks: (() => void)[] = []
  const done: string[] = []
  let read = (): void => undefined
  let left = 0
  const turns = new Turns({
    ...realWorld,
    immediate: (action) => {
      callbacks.push(action)
      return () => undefined
    },
  })
  turns.add({
    show: () => void done.push('show'),
    read() {
      done.push('read')
      read()
    },
    rest: () => left-- <= 0,
  })
  return {
    turns,
    done,
    callbacks,
    waiting: () => callbacks.length,
    endTurn() {
      done.push('|')
      for (const end of callbacks.splice(0)) end()
    },
    onRead(action) {
      read = action
    },
    restless(count) {
      left = count
    },
  }
}

function socket(name: string, done: string[]): Flushable {
  return { scheduled: false, notBefore: 0, flush: () => void done.push(name) }
}

test('a turn ends once, however often it is armed: what it brought is shown, then requests are read, before and after what is due is written', () => {
  const { turns, done, endTurn, waiting } = byHand()
  turns.writes.schedule(socket('idle', done), true)
  turns.arm()
  endTurn()
  endTurn()
  assert.equal(done, ['|', 'show', 'read', 'read', '|', 'show', 'read', 'idle', 'read'])
  assert.is(waiting(), 0)
})

test('an idle socket whose frame came in a poll phase waits for the whole of the next one', () => {
  const { turns, done, endTurn } = byHand()
  turns.writes.schedule(socket('idle', done), true)
  endTurn()
  assert.not.ok(done.includes('idle'))
  endTurn()
  assert.ok(done.includes('idle'))
})

test('one whose frame was read at the end of a turn waits for the poll phase that follows, and no longer', () => {
  const { turns, done, endTurn, onRead } = byHand()
  let frames = 1
  onRead(() => {
    if (frames-- > 0) turns.writes.schedule(socket('idle', done), true)
  })
  turns.arm()
  endTurn()
  assert.equal(done, ['|', 'show', 'read', 'read'])
  endTurn()
  assert.equal(done.slice(4), ['|', 'show', 'read', 'idle', 'read'])
})

test('two that were seen on both sides of an end are written to when each has had its poll phase', () => {
  const { turns, done, endTurn, onRead } = byHand()
  turns.writes.schedule(socket('polling', done), true)
  onRead(() => {
    onRead(() => undefined)
    turns.writes.schedule(socket('ending', done), true)
  })
  endTurn()
  assert.equal(done, ['|', 'show', 'read', 'read'])
  endTurn()
  assert.equal(done.slice(4), ['|', 'show', 'read', 'polling', 'ending', 'read'])
})

test('one that is idle again before it was its turn, and asked again, waits for a poll phase after that', () => {
  const { turns, done, endTurn, onRead } = byHand()
  const target = socket('idle', done)
  turns.writes.schedule(target, true)
  endTurn()
  onRead(() => {
    onRead(() => undefined)
    turns.writes.schedule(target, true) // its first request was withdrawn
  })
  endTurn()
  assert.not.ok(done.includes('idle'))
  endTurn()
  assert.is(done.filter((what) => what === 'idle').length, 1)
})

test('a socket that was not idle is written to in the same turn', async () => {
  const { turns, done, waiting } = byHand()
  turns.writes.schedule(socket('busy', done), false)
  await undefined
  assert.equal(done, ['busy'])
  assert.is(waiting(), 0)
})

test('as long as a link wants another turn there is one, and then no more', () => {
  const { turns, done, endTurn, restless, waiting } = byHand()
  restless(2)
  turns.arm()
  for (let turn = 0; turn < 5; turn++) endTurn()
  assert.is(done.filter((what) => what === 'show').length, 3)
  assert.is(waiting(), 0)
})

test('telling and reading are two callbacks; what is armed between them brings another turn, for it has not been told', () => {
  const { turns, done, callbacks } = byHand()
  turns.arm()
  turns.arm()
  assert.is(callbacks.length, 2)
  callbacks.shift()?.()
  assert.equal(done, ['show'])
  turns.arm()
  callbacks.shift()?.()
  assert.equal(done, ['show', 'read', 'read'])
  assert.is(callbacks.length, 2)
})

test('a link that was removed is left alone', () => {
  const { turns, done, endTurn } = byHand()
  const gone = { show: () => void done.push('gone'), read: () => void done.push('gone'), rest: () => done.push('gone') < 0 }
  turns.add(gone)
  turns.remove(gone)
  turns.arm()
  endTurn()
  assert.not.ok(done.includes('gone'))
})

test.run()
