/** The public surface as its sources say it: which names are exported, and what docstring each has. */
import { dirname, join } from 'node:path'
import { read, sources } from './docs.ts'

/** One declaration. */
export interface Declared {
  readonly name: string
  readonly kind: string
  /** '' if there is none. */
  readonly docstring: string
}

const DECLARATION = /(^ *\/\*\*(?:(?!\*\/).)*\*\/\n)?^export (?:declare |async )*(function|class|interface|type|const) (\w+)/gms
const MEMBER = /(^ {2}\/\*\*(?:(?!\*\/).)*\*\/\n)?^ {2}(?:static |async |get |readonly )*(\w+)(?=[(<:])/gms

/** What a module declares and exports. */
function declaredIn(file: string): Declared[] {
  return [...read(file).matchAll(DECLARATION)].map(([, docstring = '', kind = '', name = '']) => ({ name, kind, docstring }))
}

/** The exports of an entry: its own, and those that it names from elsewhere, found where they are declared. */
export function exportsOf(entry: string): Declared[] {
  const lists = [...read(entry).matchAll(/^export (?:type )?\{(.*?)\} from '(.*?)'/gms)]
  const elsewhere = lists.flatMap(([, names = '', from = '']) => {
    const files = from.startsWith('.') ? [join(dirname(entry), from)] : sources().filter((file) => file.startsWith('packages/pool-worker'))
    const all = files.flatMap(declaredIn)
    return names
      .split(',')
      .map((name) => name.replace('type ', '').trim())
      .filter((name) => name !== '')
      .map((name) => all.find((each) => each.name === name) ?? { name, kind: 'unknown', docstring: '' })
  })
  return [...declaredIn(entry), ...elsewhere]
}

/** Names of what has no docstring, or runs and has no example. */
export function undocumented(surface: readonly Declared[]): string[] {
  const runs = (kind: string): boolean => kind === 'function' || kind === 'class' || kind === 'const'
  const bad = surface.filter(({ kind, docstring }) => docstring === '' || (runs(kind) && !docstring.includes('@example')))
  return bad.map(({ name }) => name)
}

/** The public members of the class that a module exports: what is neither private nor `@internal`. */
export function membersOf(file: string): Declared[] {
  const [, body = ''] = /^export class \w+.*? \{\n(.*?)^\}/ms.exec(read(file)) ?? []
  return [...body.matchAll(MEMBER)]
    .map(([, docstring = '', name = '']) => ({ name, kind: 'member', docstring }))
    .filter(({ name, docstring }) => name !== 'constructor' && !docstring.includes('@internal'))
}

/** The fields that an interface or a class declares, those that are private not among them. */
export function fieldsOf(file: string, name: string): string[] {
  return [...bodyOf(file, name).matchAll(/^ {2}(?:readonly )?(\w+)\??: /gm)].map(([, field = '']) => field)
}

/** What stands between the braces of an interface or a class. */
export function bodyOf(file: string, name: string): string {
  const [, body] = new RegExp(`^export (?:interface|class) ${name}\\b.*?\\{\\n(.*?)^\\}`, 'ms').exec(read(file)) ?? []
  if (body === undefined) throw new Error(`there is no ${name} in ${file}`)
  return body
}

/** The codes of `PoolErrorCode`, in order. */
export function errorCodes(): string[] {
  const [, union = ''] = /^export type PoolErrorCode =\n(.*?)\n\n/ms.exec(read('packages/pool-worker/src/errors.ts')) ?? []
  return [...union.matchAll(/^ {2}\| '(\w+)'/gm)].map(([, code = '']) => code)
}
