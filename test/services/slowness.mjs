/** Measures how much slower this machine is now, under its load, than an idle one. */
import { spawnSync } from 'node:child_process';

/** How long an idle machine of 2020 takes to start a process of Node. */
const idleMs = 60;
const most = 30;
const runs = 2;

/** @returns a factor from 1 to 30 */
export function slowness() {
  const begun = performance.now();
  for (let run = 0; run < runs; run += 1) spawnSync(process.execPath, ['-e', '0']);
  return Math.min(most, Math.max(1, (performance.now() - begun) / runs / idleMs));
}
