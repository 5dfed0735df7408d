/** The thread of the sockets that `RingClient` starts. */
import { parentPort, workerData } from 'node:worker_threads'
import type { SocketsTask } from './rings/memory.ts'
import { RingSockets } from './rings/sockets.ts'

const sockets = new RingSockets(workerData as SocketsTask) // only `RingClient` starts this thread
await sockets.connected()
parentPort?.postMessage('ready')
