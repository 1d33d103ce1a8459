/**
 * Ends the process, also while an operation of a file system hangs. Node waits for its threads before it exits, and a thread that
 * hangs never ends. Then a signal from outside ends the process a second later.
 */
import { spawn } from 'node:child_process';

const ofThreads = /^(FSReq|GetAddrInfo)/;

export function endThisProcess(code: number): never {
  const mayBeHeld = process.getActiveResourcesInfo().some((name) => ofThreads.test(name));
  if (mayBeHeld) {
    // Without a listener, the signal ends the process at once. Supervisors take SIGTERM for an end that was asked for.
    process.removeAllListeners('SIGTERM');
    const signal = code === 0 ? 'TERM' : 'KILL';
    const ender = spawn('/bin/sh', ['-c', `sleep 1; kill -s ${signal} ${process.pid}`], {
      detached: true,
      stdio: 'ignore',
    });
    ender.on('error', () => {});
    ender.unref();
  }
  process.exit(code);
}
