/** Lists, shows and replays dead letters, in the services' database. */
import { setTimeout as delay } from 'node:timers/promises';
import { type KeptLetter, KeptLetters } from '@strongroom/feed';
import type { PrintOptions } from './api/api-options.js';
import { type Column, printOne, printRows } from './api/printing.js';
import { AdvisedFault, MissingFault, UsageFault } from './command-fault.js';
import { onDatabase } from './open-database.js';
import { note, say, sayJson } from './output.js';

export interface LetterListOptions extends PrintOptions {
  replayed?: boolean;
  limit: number;
}

export interface ReplayOptions {
  all?: boolean;
  wait?: boolean;
  json?: boolean;
}

/** How many letters one call asks for at most. */
const mostAtOnce = 10_000;
const lookMs = 500;
const shownCharacters = 120;
const listThem = 'See those that there are: strongroom dead-letters list --replayed';

const columns: readonly Column<KeptLetter>[] = [
  { title: 'ID', of: ({ id }) => id },
  { title: 'SET ASIDE', of: ({ setAsideAt }) => setAsideAt },
  { title: 'STATE', of: stateOf },
  { title: 'GROUP', of: ({ group }) => group },
  { title: 'TOPIC', of: ({ topic }) => topic },
  { title: 'ERROR', of: ({ error }) => error.slice(0, shownCharacters) },
];
const fields: readonly Column<KeptLetter>[] = [
  ...columns.slice(0, -1),
  { title: 'PARTITION', of: ({ partition }) => partition },
  { title: 'OFFSET', of: ({ offset }) => offset },
  { title: 'POSITION', of: ({ position }) => position },
  { title: 'REPLAY ASKED', of: ({ replayAskedAt }) => replayAskedAt },
  { title: 'REPLAYED', of: ({ replayedAt }) => replayedAt },
];

export function list(options: LetterListOptions): Promise<void> {
  const { replayed = false, limit } = options;
  return onLetters(async (letters) => {
    const found = await letters.list({ withReplayed: replayed, limit });
    printRows({ deadLetters: found }, found, columns, options);
    if (found.length === limit) note('There may be more. --limit prints as many as it says.');
  });
}

export function show(id: string, { json = false }: { json?: boolean }): Promise<void> {
  return onLetters(async (letters) => {
    const letter = await letters.find(id);
    if (letter === undefined) throw new MissingFault(`There is no dead letter ${id}.`, listThem);
    printOne(letter, letter, fields, { json });
    if (json) return;
    say(`\n${letter.error}\n`);
    sayJson(letter.message, 2);
  });
}

/** What became of the letters, as `--json` prints it. Fields may be added, and none ever changes. */
interface Replayed {
  /** The ids of those that are handled again. */
  asked: readonly string[];
  /** Of these, those that were handled, as far as that was waited for. */
  handled: readonly string[];
  failedAgain: readonly string[];
  /** The ids with which no letter waits. */
  notWaiting: readonly string[];
}

/** @throws {MissingFault} when no letter waits with one of the ids @throws {AdvisedFault} when one has failed again */
export function replay(ids: string[], { all = false, wait = false, json = false }: ReplayOptions): Promise<void> {
  if (all === ids.length > 0)
    throw new UsageFault('It is not known which letters are meant.', 'Name the letters to replay, or --all.');
  return onLetters(async (letters) => {
    const waiting = all ? (await letters.list({ withReplayed: false, limit: mostAtOnce })).map(({ id }) => id) : ids;
    const marked = await letters.askReplay(waiting);
    const notWaiting = ids.filter((id) => !marked.includes(id));
    if (marked.length > 0 || all)
      note(`${marked.length} ${marked.length === 1 ? 'letter is' : 'letters are'} handled again within seconds.`);
    const failedAgain = wait ? await failedOf(letters, marked) : [];
    const handled = wait ? marked.filter((id) => !failedAgain.includes(id)) : [];
    if (json) sayJson({ asked: marked, handled, failedAgain, notWaiting } satisfies Replayed, 2);
    if (handled.length > 0) note(`${handled.length === 1 ? 'It was' : `${handled.length} were`} handled.`);
    if (failedAgain.length > 0)
      throw new AdvisedFault(
        `${failedAgain.join(', ')} failed again.`,
        'See the log of the service for why, mend that, and run it again.',
        undefined,
      );
    if (notWaiting.length > 0)
      throw new MissingFault(`No letter waits with the id ${notWaiting.join(', ')}.`, listThem);
  });
}

/** Waits until each letter was handled. @returns those that have failed again */
async function failedOf(letters: KeptLetters, ids: readonly string[]): Promise<string[]> {
  const open = new Set(ids);
  const failed: string[] = [];
  while (open.size > 0) {
    for (const id of open) {
      const letter = await letters.find(id);
      if (letter && letter.replayedAt === null && letter.replayAskedAt !== null) continue;
      open.delete(id);
      if (letter && letter.replayedAt === null) failed.push(id);
    }
    if (open.size > 0) await delay(lookMs);
  }
  return failed;
}

function stateOf({ replayAskedAt, replayedAt }: KeptLetter): string {
  if (replayedAt !== null) return 'replayed';
  return replayAskedAt === null ? 'waits' : 'asked';
}

function onLetters(work: (letters: KeptLetters) => Promise<void>): Promise<void> {
  return onDatabase({ applicationName: 'strongroom-letters' }, (dataSource) => work(new KeptLetters(dataSource)));
}
