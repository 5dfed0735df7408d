/** All contenders by name. Each is loaded in its own process alone, with the library that it measures. */

export const CONTENDERS = {
  'acquire-cenote': () => import('./acquire-cenote.ts'),
  'acquire-generic-pool': () => import('./acquire-generic-pool.ts'),
  'acquire-tarn': () => import('./acquire-tarn.ts'),
  'echo-cenote': () => import('./echo-cenote.ts'),
  'echo-generic-pool': () => import('./echo-generic-pool.ts'),
  'echo-rings': () => import('./echo-rings.ts'),
  'echo-stack': () => import('./echo-stack.ts'),
  'echo-tarn': () => import('./echo-tarn.ts'),
  'cpu-cenote': () => import('./cpu-cenote.ts'),
  'cpu-generic-pool': () => import('./cpu-generic-pool.ts'),
  'framed-bare': () => import('./framed-bare.ts'),
  'framed-cenote': () => import('./framed-cenote.ts'),
  'framed-generic-pool': () => import('./framed-generic-pool.ts'),
  'framed-rings': () => import('./framed-rings.ts'),
  'hop-cenote': () => import('./hop-cenote.ts'),
  idle: () => import('./idle.ts'),
  'memory-bare': () => import('./memory-bare.ts'),
  'memory-cenote': () => import('./memory-cenote.ts'),
  'resp-cenote': () => import('./resp-cenote.ts'),
  'resp-ioredis': () => import('./resp-ioredis.ts'),
  'resp-node-redis': () => import('./resp-node-redis.ts'),
  'scale-cenote': () => import('./scale-cenote.ts'),
  'stall-cenote': () => import('./stall-cenote.ts'),
  'stall-generic-pool': () => import('./stall-generic-pool.ts'),
  'start-bare': () => import('./start-bare.ts'),
  'start-cenote': () => import('./start-cenote.ts'),
  'stream-bare': () => import('./stream-bare.ts'),
  'stream-cenote': () => import('./stream-cenote.ts'),
  'tls-bare': () => import('./tls-bare.ts'),
  'tls-cenote': () => import('./tls-cenote.ts'),
} as const

export type ContenderName = keyof typeof CONTENDERS

/** What the contender's `open` takes. It crosses by structured clone. */
export type SetupOf<Name extends ContenderName> = Parameters<Awaited<ReturnType<(typeof CONTENDERS)[Name]>>['open']>[0]
