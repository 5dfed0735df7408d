/** All scenarios, in the order in which they run. */
import type { Scenario } from '../scenario.ts'
import { acquire } from './acquire.ts'
import { echo } from './echo.ts'
import { health } from './health.ts'
import { resp } from './resp.ts'
import { stream } from './stream.ts'

export const SCENARIOS: readonly Scenario[] = [resp, echo, health, acquire, stream]
