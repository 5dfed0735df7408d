/** The metronome's thread. */
import { parentPort, workerData } from 'node:worker_threads'
import { keepTime } from './load/metronome.ts'

keepTime(workerData as SharedArrayBuffer, () => parentPort?.postMessage(0)) // `Metronome` starts it so
