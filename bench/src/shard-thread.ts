/** Loaded by each shard of `load` before its own code: says which thread of the system it is. */
import { announceShard } from './measure/shard-threads.ts'

announceShard()
