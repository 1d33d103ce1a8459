/** Starts the thread that watches this one. It runs the program of this process, which knows by its thread what to do. */
import { Worker } from 'node:worker_threads';

const beatMs = 50;

/** The process's last three arguments are its owner's pid, the memory that it may take, and for how long it may only compute. */
export function startWatchdog(): void {
  const [parentPid, memoryBytes, stuckMs] = process.argv.slice(-3).map(Number);
  const beats = new SharedArrayBuffer(4);
  const counter = new Int32Array(beats);
  setInterval(() => Atomics.add(counter, 0, 1), beatMs);
  const [, program = '', ...argv] = process.argv;
  new Worker(program, { argv, workerData: { parentPid, memoryBytes, stuckMs, beats } });
}
