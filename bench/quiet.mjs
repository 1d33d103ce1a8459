/** Waits for a quiet machine: what runs beside a measurement is measured with it. */
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

const sampleMs = 400;

/** The share of the processors' time that was used or waited for the disk, over one sample. */
async function busyShare() {
  const times = () => readFileSync('/proc/stat', 'utf8').split('\n')[0].trim().split(/\s+/).slice(1).map(Number);
  const before = times();
  await delay(sampleMs);
  const spent = times().map((time, at) => time - before[at]);
  return 1 - spent[3] / spent.reduce((sum, each) => sum + each, 0);
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
