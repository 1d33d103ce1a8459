/**
 * Ends the process, also while an operation of a file system hangs. Node waits for its threads before it exits, and a thread that
 * hangs never ends. Such a process is ended by a signal instead.
 */
const ofThreads = /^(FSReq|GetAddrInfo)/;

export function endProcess(code: number): never {
  const isHeld = process.getActiveResourcesInfo().some((name) => ofThreads.test(name));
  if (isHeld) {
    // Without a listener, the signal ends the process at once. Supervisors take this one for an end that was asked for.
    process.removeAllListeners('SIGTERM');
    process.kill(process.pid, code === 0 ? 'SIGTERM' : 'SIGKILL');
  }
  process.exit(code);
}
