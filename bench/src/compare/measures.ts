/** The columns that most scenarios have, by the keys of `measured`. */
import type { Measure } from './scenario.ts'

const THROUGHPUT: Measure = { key: 'requestsPerSecond', title: 'requests/s', unit: 'requests/s', better: 'more' }
const MAIN_CPU: Measure = {
  key: 'mainCpuMicrosecondsPerRequest',
  title: 'main-thread CPU/request',
  unit: 'µs',
  better: 'less',
}
const ALL_CPU: Measure = { key: 'cpuMicrosecondsPerRequest', title: 'all threads', unit: 'µs', better: 'less' }
const LOOP_DELAY: Measure = { key: 'loopDelayP99Ms', title: 'loop delay p99', unit: 'ms', better: 'less' }
const MEMORY: Measure = { key: 'peakRssMib', title: 'peak RSS', unit: 'MiB', better: 'less' }

/** Throughput, and what it costs. */
export const MEASURES: readonly Measure[] = [THROUGHPUT, MAIN_CPU, ALL_CPU, LOOP_DELAY, MEMORY]
