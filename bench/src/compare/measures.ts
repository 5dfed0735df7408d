/** The columns that most scenarios have, by the keys of `measured` and `Latency`. */
import type { Measure } from './scenario.ts'

export const THROUGHPUT: Measure = { key: 'requestsPerSecond', title: 'requests/s', unit: 'requests/s', better: 'more' }
export const LATENCY_P50: Measure = { key: 'latencyP50Microseconds', title: 'latency p50', unit: 'µs', better: 'less' }
export const LATENCY_P99: Measure = { key: 'latencyP99Microseconds', title: 'latency p99', unit: 'µs', better: 'less' }
export const MAIN_CPU: Measure = { key: 'mainCpuMicrosecondsPerRequest', title: 'main-thread CPU/request', unit: 'µs', better: 'less' }
export const ALL_CPU: Measure = { key: 'cpuMicrosecondsPerRequest', title: 'total CPU/request', unit: 'µs', better: 'less' }
export const LOOP_DELAY: Measure = { key: 'loopDelayP99Ms', title: 'loop delay p99', unit: 'ms', better: 'less' }
export const LOOP_DELAY_P50: Measure = { key: 'loopDelayP50Ms', title: 'loop delay p50', unit: 'ms', better: 'less' }
export const MEMORY: Measure = { key: 'peakRssMib', title: 'peak RSS', unit: 'MiB', better: 'less' }
