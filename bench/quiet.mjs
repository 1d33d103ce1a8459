/** Waits for a quiet machine: what runs beside a measurement is measured with it. */
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

const sampleMs = 400;

/** The times of all processors since the machine started, by what they did, in the order of /proc/stat. */
export function busyTimes() {
  return readFileSync('/proc/stat', 'utf8').split('\n')[0].trim().split(/\s+/).slice(1).map(Number);
}

/** The share of the processors' time between two looks that was used or waited for the disk. */
export function shareSince(before, after) {
  const spent = after.map((time, at) => time - before[at]);
  return 1 - spent[3] / spent.reduce((sum, each) => sum + each, 0);
}

/** The same over one sample. */
async function busyShare() {
  const before = busyTimes();
  await delay(sampleMs);
  return shareSince(before, busyTimes());
}

/** @returns whether the machine was quiet for two samples, before the time was over */
export async function quiet({ withinMs = 10_000 } = {}) {
  const end = performance.now() + withinMs;
  for (let calm = 0; performance.now() < end; ) {
    calm = (await busyShare()) < 0.15 ? calm + 1 : 0;
    if (calm === 2) return true;
  }
  return false;
}
