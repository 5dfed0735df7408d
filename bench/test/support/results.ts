/** Result files as the commands of the bench write them. */
import type { StageResult } from '../../src/compare/run.ts'

export const ENVIRONMENT = {
  date: '2026-11-25T12:34:56.000Z',
  node: '20.20.2',
  platform: 'linux x64',
  cpu: 'Some Processor',
  cores: 2,
  memoryBytes: 8 * 2 ** 30,
  packages: { '@cenote/pool-core': '0.1.0' },
  commit: 'abcdef123456',
}

export const STAGE: StageResult = {
  name: 'main',
  title: 'Echo of 64 bytes',
  server: 'C epoll echo server',
  measures: [
    { key: 'requestsPerSecond', title: 'requests/s', unit: 'requests/s', better: 'more' },
    { key: 'mainCpu', title: 'main-thread CPU', unit: 'µs', better: 'less' },
  ],
  entrants: [
    {
      id: 'cenote',
      name: 'Cenote, 1 shard',
      spreads: { requestsPerSecond: { median: 41_600, min: 40_000, max: 43_000 }, mainCpu: { median: 12.5, min: 12.5, max: 12.5 } },
      rounds: [],
    },
    { id: 'c', name: 'C epoll client', spreads: { requestsPerSecond: { median: 166_000, min: 160_000, max: 171_000 } }, rounds: [] },
  ],
  missing: [{ id: 'go', name: 'Go channel pool', why: 'go was not found. Debian, Ubuntu: apt-get install golang-go' }],
  ratios: [
    {
      text: 'times the requests of the C client',
      measure: 'requestsPerSecond',
      of: 'cenote',
      over: 'c',
      bound: 'least',
      reach: 0.2,
      goal: 0.8,
      median: 0.25,
      min: 0.21,
      max: 0.31,
      reached: true,
      goalReached: false,
    },
    {
      text: 'times the requests of the Go channel pool',
      measure: 'requestsPerSecond',
      of: 'cenote',
      over: 'go',
      bound: 'least',
      reach: 0.75,
      unmeasured: 'Go channel pool: go was not found',
    },
    {
      text: 'main-thread CPU',
      measure: 'mainCpu',
      of: 'cenote',
      bound: 'most',
      reach: 4,
      median: 12.5,
      min: 12.5,
      max: 12.5,
      reached: false,
    },
  ],
}

/** `compare-<scenario>.json`. */
export function compareFile(scenario: string, stages: readonly StageResult[] = [STAGE]) {
  const options = { rounds: 5, roundMs: 1_000 }
  return { schemaVersion: 1, kind: 'compare', scenario, about: `about ${scenario}`, environment: ENVIRONMENT, options, stages }
}

/** `cancel.json`. */
export const CANCEL = {
  schemaVersion: 1,
  kind: 'cancel',
  environment: ENVIRONMENT,
  rounds: 3,
  callers: 100_000,
  figures: { 'one signal for all': [50, 40, 45], 'close()': [1_200, 1_300, 1_100] },
  checks: [
    { name: 'one signal for all', ms: 45, most: 1_000, kept: true },
    { name: 'close()', ms: 1_200, most: 1_000, kept: false },
  ],
}

const way = (name: string, jobs: number) => ({
  way: name,
  jobs,
  elapsedMs: 1_000,
  mainCpuMs: 500,
  loopDelay: { p50Ms: 1, p99Ms: 2, maxMs: 3 },
  peakRssBytes: 2 ** 20,
})

/** `main-job.json`, of three runs, with a server that was given. */
export const MAIN_JOB = {
  schemaVersion: 1,
  kind: 'main-job',
  environment: ENVIRONMENT,
  data: 'Data: places',
  server: 'redis://redis.example:6379',
  rounds: 10,
  inFlight: 64,
  equal: true,
  figures: ['cenote', 'piscina', 'main'].map((name) => ({ way: name })),
  checks: [{ name: 'jobs/s: cenote / piscina', ratio: 1.12, bound: 'at least 1', kept: true }],
  runs: [300, 200, 100].map((jobs) => [way('cenote', jobs), way('piscina', jobs + 1), way('main', jobs + 2)]),
}

const times = (ms: number) => ({ count: 9, p50Ms: ms, p90Ms: ms + 1, p99Ms: ms + 2, p999Ms: ms + 3, p9999Ms: ms + 4, maxMs: ms + 5 })

/** `load-<time>.json`, of an open loop in which a request failed. */
export const LOAD = {
  schemaVersion: 1,
  kind: 'load',
  environment: ENVIRONMENT,
  server: { address: 'tcp://server.example:7000', transport: 'tcp' },
  about: 'lines of 64 bytes',
  loop: 'open',
  options: { connections: 16, shards: 2 },
  interrupted: true,
  measuredMs: 10_000,
  requestsPerSecond: 4_567,
  bytesSentPerSecond: 2 ** 20,
  bytesReceivedPerSecond: 2 ** 21,
  requests: 45_671,
  failed: 1,
  unfinished: 2,
  late: { count: 3, maxMs: 4.5 },
  errors: { REQUEST_TIMEOUT: 1 },
  response: times(10),
  wait: { ...times(0), count: 0 },
  service: times(8),
  failure: times(5_000),
  usage: { elapsedMs: 10_000, main: { utilization: 0.5 }, shards: [{ utilization: 0.25 }, { utilization: 0.1 }] },
  peakRssBytes: 100 * 2 ** 20,
}
