/** All scenarios, in the order in which they run. */
import type { Scenario } from '../scenario.ts'
import { acquire } from './acquire.ts'
import { busy } from './busy.ts'
import { cpu } from './cpu.ts'
import { echo } from './echo.ts'
import { health } from './health.ts'
import { hop } from './hop.ts'
import { large } from './large.ts'
import { lone } from './lone.ts'
import { resp } from './resp.ts'
import { scale } from './scale.ts'
import { stall } from './stall.ts'
import { start } from './start.ts'
import { stream } from './stream.ts'
import { tls } from './tls.ts'

export const SCENARIOS: readonly Scenario[] = [resp, echo, health, acquire, stream, lone, large, cpu, busy, tls, scale, start, stall, hop]
