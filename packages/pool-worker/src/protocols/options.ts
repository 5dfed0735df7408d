/** Checks the options of the built-in protocols. */
import { badOption } from '../errors.ts'

/** What an option must be: the words for the error, and the test. `undefined` always passes. */
export interface OptionRule {
  readonly expected: string
  accepts(value: unknown): boolean
}

/** A rule: any string. */
export const anyString: OptionRule = { expected: 'a string', accepts: (value) => typeof value === 'string' }

/** A rule: true or false. */
export const anyBoolean: OptionRule = { expected: 'true or false', accepts: (value) => typeof value === 'boolean' }

/** A rule: a whole number from `least` up. */
export function wholeNumber(least: number): OptionRule {
  return { expected: `a whole number from ${least} up`, accepts: (value) => Number.isSafeInteger(value) && Number(value) >= least }
}

/** A rule: one of the values. */
export function oneOf(...values: readonly (string | number)[]): OptionRule {
  return { expected: `one of ${values.join(', ')}`, accepts: (value) => values.includes(value as string) } // `includes` compares, whatever it is
}

/**
 * Checks the options that a user gave to a protocol. Values are never printed: one of them may be a password.
 *
 * @throws PoolError `BAD_OPTION`: not an object, an option that the protocol has not, or one of the wrong kind.
 */
export function checkOptions(protocol: string, options: unknown, rules: Readonly<Record<string, OptionRule>>): void {
  if (options === undefined) return
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw badOption(`${protocol}()`, 'its options must be an object')
  }
  for (const [key, value] of Object.entries(options)) {
    const rule = Object.hasOwn(rules, key) ? rules[key] : undefined
    if (rule === undefined) throw badOption(`${protocol}()`, `unknown option ${key}; it has ${Object.keys(rules).join(', ') || 'none'}`)
    if (value !== undefined && !rule.accepts(value)) throw badOption(`${protocol}()`, `${key} must be ${rule.expected}`)
  }
}
