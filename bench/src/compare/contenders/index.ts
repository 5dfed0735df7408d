/** All contenders by name. Each is loaded in its own process alone, with the library that it measures. */

export const CONTENDERS = {
  'resp-cenote': () => import('./resp-cenote.ts'),
  'resp-ioredis': () => import('./resp-ioredis.ts'),
  'resp-node-redis': () => import('./resp-node-redis.ts'),
  'stream-bare': () => import('./stream-bare.ts'),
  'stream-cenote': () => import('./stream-cenote.ts'),
} as const

export type ContenderName = keyof typeof CONTENDERS

/** What the contender's `open` takes. It crosses by structured clone. */
export type SetupOf<Name extends ContenderName> = Parameters<Awaited<ReturnType<(typeof CONTENDERS)[Name]>>['open']>[0]
