/** What both forms of the report say of machines, versions and how many aims were reached. */
import { counted, type Section, verdictOf } from './model.ts'

const GIB = 2 ** 30

/** One line for each machine and Node that the results are of: one, unless files were mixed. */
export function machinesOf(sections: readonly Section[]): string[] {
  const lines = sections.map(({ environment: { cpu, cores, memoryBytes, platform, node } }) => {
    return `${cpu}, ${counted(cores, 'core')}, ${Math.round(memoryBytes / GIB)} GiB of memory, ${platform}, Node ${node}`
  })
  return [...new Set(lines)]
}

/** When and from which source a section's figures are. */
export function measuredWhere({ environment: { date, commit, packages } }: Section): string {
  const versions = Object.entries(packages).map(([name, version]) => `${name} ${version}`)
  return `Measured ${date.slice(0, 16).replace('T', ' ')} UTC${commit === undefined ? '' : `, commit ${commit}`}: ${versions.join(', ')}.`
}

/** '12 of 20 reached, 6 missed, 2 not measured.' */
export function headline(sections: readonly Section[]): string {
  const verdicts = sections.flatMap(({ parts }) => parts.flatMap(({ aims }) => aims.map(verdictOf)))
  const count = (verdict: (typeof verdicts)[number]) => verdicts.filter((each) => each === verdict).length
  const demanded = verdicts.length - count('goal only')
  if (demanded === 0) return 'Nothing that was measured has a bound to keep.'
  return `Of ${counted(demanded, 'bound')} ${count('reached')} reached, ${count('missed')} missed, ${count('not measured')} not measured.`
}
