/** One way of the main job as a process. */
import { type WayReport, type WayRequest, WayWorker } from './main-job/worker.ts'
import { serveParent } from './process/child.ts'

const worker = new WayWorker()
const userCode = new URL('./places.js', import.meta.url)

serveParent<WayRequest, WayReport | undefined>((request, progress) => worker.answer(request, userCode, progress))
