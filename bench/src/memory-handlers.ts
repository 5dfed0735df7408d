/** The handler of the comparison `scale`: what the shard's thread weighs. */
import { threadMemory } from './measure/thread-memory.ts'

export async function memory(): Promise<number> {
  return await threadMemory()
}
