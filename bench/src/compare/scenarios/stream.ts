/** Bulk data over `lease.stream()` beside a bare socket, in both directions. */
import { type Child, startChild } from '../../process/child.ts'
import { startContender } from '../contender.ts'
import type { Context, Measure, RatioAim, Scenario, Stage } from '../scenario.ts'

const OUT: Measure = { key: 'outMibPerSecond', title: 'to the peer', unit: 'MiB/s', better: 'more' }
const IN: Measure = { key: 'inMibPerSecond', title: 'from the peer', unit: 'MiB/s', better: 'more' }

const RATIOS: readonly RatioAim[] = [OUT, IN].map(({ key, title }) => {
  return { text: `times a bare socket's throughput ${title}`, measure: key, of: 'cenote', over: 'bare', bound: 'least', reach: 0.5 }
})

export const stream: Scenario = {
  name: 'stream',
  about: 'writes of 64 KiB over one connection, out and in: lease.stream() and a bare socket',
  packages: [],
  stages: [{ name: 'main', open }],
}

async function open(context: Context): Promise<Stage> {
  const peer: Child<{ readonly ask: 'listen' }, number> = startChild(new URL('./stream-peer.js', context.entry), 'the peer')
  context.cleanup.add(peer.stop)
  const setup = { port: await peer.ask({ ask: 'listen' }) }
  return {
    title: '64 KiB writes over one connection',
    server: 'a peer in Node',
    entrants: [
      await startContender(context, { id: 'cenote', name: 'Cenote, lease.stream(), 1 shard' }, 'stream-cenote', setup),
      await startContender(context, { id: 'bare', name: 'bare socket' }, 'stream-bare', setup),
    ],
    missing: [],
    measures: [OUT, IN],
    ratios: RATIOS,
  }
}
