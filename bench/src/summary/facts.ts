/** What both forms of the report say of machines, versions and how many aims were reached. */
import { allAims, counted, type Section, verdictOf } from './model.ts'

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

/** 'Of 20 bounds 12 reached, 6 missed (2 of them by the limit too), 2 not measured.' */
export function headline(sections: readonly Section[]): string {
  const aims = allAims(sections).map(({ aim }) => aim)
  const verdicts = aims.map(verdictOf)
  const count = (verdict: (typeof verdicts)[number]) => verdicts.filter((each) => each === verdict).length
  const demanded = verdicts.length - count('goal only')
  if (demanded === 0) return 'Nothing that was measured has a bound to keep.'
  const beyond = aims.filter((aim) => aim.beyond).length
  const missed = `${count('missed')} missed${beyond === 0 ? '' : ` (${beyond} of them by the limit too)`}`
  return `Of ${counted(demanded, 'bound')} ${count('reached')} reached, ${missed}, ${count('not measured')} not measured.`
}
