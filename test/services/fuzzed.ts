/**
 * Tries strangers' bytes that nobody thought of, made by a seed from good ones: each is read, or refused by a fault of ours. No other error
 * comes of them, and none keeps the process. STRONGROOM_FUZZ_STRANGERS says how many for each form, and _SEED where they begin.
 */
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from '@jest/globals';
import { Fault } from '@strongroom/contracts';
import { randomOf } from '../vaults/turns.js';
import { mutated } from './mutations.js';
import { patience } from './patience.js';

export const fuzzCount = Number(process.env.STRONGROOM_FUZZ_STRANGERS || 300);
const firstSeed = Number(process.env.STRONGROOM_FUZZ_STRANGERS_SEED || 1);
/** No input is larger than some kilobytes. */
const mostMs = 10_000 * patience;
export const fuzzLimitMs = 60_000 + fuzzCount * 100;

export interface FuzzedForm {
  name: string;
  /** Inputs to begin with, each of which is tried too: good ones, and some that are refused. */
  corpus: readonly { name: string; bytes: Buffer }[];
  /** In how many ways, at the least, inputs are refused. Fewer would mean that they do not get far. */
  leastWays: number;
  read: (bytes: Buffer, seed: number) => Promise<unknown>;
}

export async function fuzz({ name: form, corpus, leastWays, read }: FuzzedForm): Promise<void> {
  const ways = new Set<string>();
  const tryOne = async (what: string, bytes: Buffer, seed: number): Promise<boolean> => {
    const begun = performance.now();
    const error = await read(bytes, seed).then(
      () => undefined,
      (thrown: unknown) => thrown ?? new Error('nothing was thrown'),
    );
    const ms = performance.now() - begun;
    if (ms > mostMs) throw new Error(`${what} takes ${ms} ms`);
    if (error === undefined) return true;
    if (error instanceof Fault && /^[a-z-]+$/.test(error.code)) {
      ways.add(wayOf(error));
      return false;
    }
    const file = join(tmpdir(), `strongroom-${what.replaceAll(/[^a-z0-9]+/gi, '-')}.bin`);
    await writeFile(file, bytes);
    throw new Error(`${what} gives ${String(error)}. The bytes are in ${file}: put them into the corpus`, {
      cause: error,
    });
  };
  const good: Buffer[] = [];
  for (const [index, { name, bytes }] of corpus.entries()) {
    if (await tryOne(`${form} ${name}`, bytes, -1 - index)) good.push(bytes);
  }
  // Otherwise the corpus is not worth beginning with.
  expect(good.length).toBeGreaterThan(0);
  expect(good.length).toBeLessThan(corpus.length);
  const all = corpus.map(({ bytes }) => bytes);
  let refused = 0;
  for (let seed = firstSeed; seed < firstSeed + fuzzCount; seed += 1) {
    // What is wrong in two places is refused for the first of them, and the second is not looked at.
    const bytes = mutated(seed % 3 === 0 ? all : good, randomOf(seed));
    if (!(await tryOne(`${form}, seed ${seed}`, bytes, seed))) refused += 1;
  }
  // Otherwise the inputs are not worth trying.
  expect(refused).toBeGreaterThan(fuzzCount / 4);
  expect(refused).toBeLessThan(fuzzCount);
  expect(ways.size).toBeGreaterThanOrEqual(leastWays);
}

/** What is told, without what was quoted: numbers, names and texts. */
function wayOf({ code, message }: Fault): string {
  return `${code} ${message.replaceAll(/"(?:[^"\\]|\\.)*"|[\d.]+|\/\S*|[0-9a-f-]{8,}/g, '?').slice(0, 250)}`;
}
