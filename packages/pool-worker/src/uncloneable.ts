/** NOT_CLONEABLE: a value that cannot cross to another thread, and what may be told of it. */
import { type Outcome, PoolError, type PoolErrorPhase } from './errors.ts'

/** What V8 says: it quotes a function's source, or a symbol's description; of objects it names the class. */
const REFUSAL = /^(?:#<(\w+)>|.*) could not be cloned\.$/s

/**
 * The error for a value that cannot be cloned. What it is, is told by its class alone, for the rest of V8's words is data.
 *
 * @param what - Which value it is.
 * @param thrown - By the attempt. What is not V8's own, such as a getter's error, stays the cause.
 */
export function notCloneable(what: string, thrown: unknown, phase: PoolErrorPhase, outcome: Outcome): PoolError {
  const found = thrown instanceof Error ? REFUSAL.exec(thrown.message) : null
  const [cause, why] = found === null ? [thrown, 'it throws when it is read'] : [undefined, `it holds ${kind(found[1])}`]
  return new PoolError('NOT_CLONEABLE', `${what} cannot be cloned: ${why}`, { phase, outcome, cause })
}

function kind(name: string | undefined): string {
  return name === undefined ? 'a function or a symbol' : `an object of the class ${name}`
}
