import type { Test } from 'uvu'
import type { Compiled } from '../../src/native/compile.ts'

/**
 * `test`, or its `skip` where a compiler is missing: said in the output, and never a failure, on CI neither. A comparison without
 * these peers is complete, it names them as missing; that is tested everywhere.
 */
export function optional(test: Test, ...programs: readonly Compiled[]): Test | Test['skip'] {
  const missing = programs.find((compiled) => 'why' in compiled)
  if (missing === undefined || !('why' in missing)) return test
  console.log(`SKIPPED: ${missing.why}`)
  return test.skip
}
