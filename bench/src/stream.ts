/** The client side of the stream comparison as a process. */
import { StreamContender, type StreamRequest } from './compare/stream-contender.ts'
import { serveParent } from './process/child.ts'

const contender = new StreamContender()

serveParent<StreamRequest, number>((request) => contender.answer(request))
