/**
 * Tries strangers' bytes that nobody thought of, made by a seed from good ones: each is read, or refused by a fault of ours. No other error
 * comes of them, and none keeps the process. STRONGROOM_FUZZ_STRANGERS says how many for each form at the least, _SECONDS for how much
 * time of the processor, and _SEED where they begin.
 */
import { appendFile, writeFile } from 'node:fs/promises';
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
/** Of the processor, for each form. */
const budgetMs = Number(process.env.STRONGROOM_FUZZ_STRANGERS_SECONDS || 0) * 1_000;
/** Such a run gives way to others, and may have a small part of the time. */
export const fuzzLimitMs = 60_000 + fuzzCount * 100 + budgetMs * 60;
/** The inputs that were read though they were changed, and those that were refused in a new way: others are made from them. */
const mostGrown = 200;
const largestGrown = 65_536;

export interface FuzzedForm {
  name: string;
  /** Inputs to begin with, each of which is tried too: good ones, and some that are refused. */
  corpus: readonly { name: string; bytes: Buffer }[];
  /** In how many ways, at the least, inputs are refused. Fewer would mean that they do not get far. */
  leastWays: number;
  read: (bytes: Buffer, seed: number) => Promise<unknown>;
}

type Outcome = 'read' | 'refused' | 'refused in a new way';

export async function fuzz({ name: form, corpus, leastWays, read }: FuzzedForm): Promise<void> {
  const ways = new Set<string>();
  const begunMs = computedMs();
  const tryOne = async (what: string, bytes: Buffer, seed: number): Promise<Outcome> => {
    const error = await endOf(read(bytes, seed));
    if (error === undefined) return 'read';
    if (error instanceof Fault && /^[a-z-]+$/.test(error.code)) {
      const way = wayOf(error);
      if (ways.has(way)) return 'refused';
      ways.add(way);
      return 'refused in a new way';
    }
    const file = join(tmpdir(), `strongroom-${what.replaceAll(/[^a-z0-9]+/gi, '-')}.bin`);
    await writeFile(file, bytes);
    throw new Error(`${what} gives ${String(error)}. The bytes are in ${file}: put them into the corpus`, {
      cause: error,
    });
  };
  const good: Buffer[] = [];
  for (const [index, { name, bytes }] of corpus.entries()) {
    if ((await tryOne(`${form} ${name}`, bytes, -1 - index)) === 'read') good.push(bytes);
  }
  // Otherwise the corpus is not worth beginning with.
  expect(good.length).toBeGreaterThan(0);
  expect(good.length).toBeLessThan(corpus.length);
  const all = corpus.map(({ bytes }) => bytes);
  const grown: Buffer[] = [];
  let tried = 0;
  let refused = 0;
  for (let seed = firstSeed; tried < fuzzCount || computedMs() - begunMs < budgetMs; seed += 1) {
    const random = randomOf(seed);
    // What is wrong in two places is refused for the first of them, and the second is not looked at.
    const from = [all, good, grown.length > 0 ? grown : good][seed % 3] ?? good;
    const bytes = mutated(from, random);
    const outcome = await tryOne(`${form}, seed ${seed} of those from ${firstSeed}`, bytes, seed);
    if (outcome !== 'refused' && bytes.length <= largestGrown) {
      grown[grown.length < mostGrown ? grown.length : Math.floor(random() * mostGrown)] = bytes;
    }
    tried += 1;
    if (outcome !== 'read') refused += 1;
  }
  // Otherwise the inputs are not worth trying.
  expect(refused).toBeGreaterThan(tried / 4);
  expect(refused).toBeLessThan(tried);
  expect(ways.size).toBeGreaterThanOrEqual(leastWays);
  const figures = process.env.STRONGROOM_FUZZ_FIGURES;
  const told = { form, corpus: corpus.length, tried, refused, ways: ways.size, ms: Math.round(computedMs() - begunMs) };
  if (figures) await appendFile(figures, `${JSON.stringify(told)}\n`);
}

/** What a reading throws; undefined when it ends well. One that does not end is an error, too. */
async function endOf(reading: Promise<unknown>): Promise<unknown> {
  let timer: NodeJS.Timeout | undefined;
  const tooLong = new Promise<Error>((resolve) => {
    timer = setTimeout(() => resolve(new Error(`no end within ${mostMs} ms`)), mostMs);
  });
  const ended = reading.then(
    () => undefined,
    (thrown: unknown) => thrown ?? new Error('nothing was thrown'),
  );
  try {
    return await Promise.race([ended, tooLong]);
  } finally {
    clearTimeout(timer);
  }
}

/** The time of the processor that this process has used. */
function computedMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

/** What is told, without what was quoted: numbers, names and texts. */
function wayOf({ code, message }: Fault): string {
  return `${code} ${message.replaceAll(/"(?:[^"\\]|\\.)*"|[\d.]+|\/\S*|[0-9a-f-]{8,}/g, '?').slice(0, 250)}`;
}
