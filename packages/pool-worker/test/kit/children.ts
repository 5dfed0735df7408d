/** Child processes of tests: none outlives the test process, however that ends. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'

const guarded = new Set<ChildProcess>()

process.on('exit', () => {
  for (const child of guarded) child.kill('SIGKILL')
})

/**
 * Kills a child when this process ends: by an exit hook, and, should this process be killed, by a shell that waits for the end
 * of its standard input. Neither keeps this process alive.
 */
export function guard(child: ChildProcess): void {
  guarded.add(child)
  child.unref()
  const watchdog = spawn('sh', ['-c', `read _; kill -9 ${child.pid} 2>/dev/null`], { stdio: ['pipe', 'ignore', 'ignore'] })
  watchdog.unref()
  // A pipe to a child is a socket, whose types hide its unref.
  if (watchdog.stdin !== null && 'unref' in watchdog.stdin) (watchdog.stdin as unknown as { unref(): void }).unref()
  child.once('exit', () => {
    guarded.delete(child)
    watchdog.kill('SIGKILL')
  })
}

/** Whether a program can be run. */
export function haveProgram(name: string, argument = '--version'): boolean {
  return spawnSync(name, [argument], { stdio: 'ignore' }).error === undefined
}
