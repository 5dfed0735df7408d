/** All scenarios, in the order in which they run. */
import type { Scenario } from '../scenario.ts'
import { resp } from './resp.ts'
import { stream } from './stream.ts'

export const SCENARIOS: readonly Scenario[] = [resp, stream]
