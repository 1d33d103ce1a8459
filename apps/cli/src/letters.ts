/** Lists, shows and replays dead letters, in the services' database. */
import { setTimeout as delay } from 'node:timers/promises';
import { createDataSource } from '@strongroom/database';
import { type KeptLetter, KeptLetters } from '@strongroom/feed';
import { z } from 'zod';
import { databaseUrl } from './database-options.js';
import { MissingFault } from './exit-codes.js';
import { inLine, note, say, sayJson } from './output.js';
import { UsageFault } from './usage-fault.js';

/** How many letters one call asks for at most. */
const mostAtOnce = 10_000;
const lookMs = 500;

export function list({
  all = false,
  limit,
  json = false,
}: {
  all?: boolean;
  limit: string;
  json?: boolean;
}): Promise<void> {
  const most = z.coerce.number().int().min(1).max(mostAtOnce).safeParse(limit);
  if (!most.success) throw new UsageFault(`--limit ${limit} is no number from 1 to ${mostAtOnce}.`);
  return onLetters(async (letters) => {
    const found = await letters.list({ withReplayed: all, limit: most.data });
    if (json) return sayJson({ deadLetters: found });
    for (const letter of found) say(rowOf(letter));
    if (found.length === 0) note('No message is set aside.');
    else if (found.length === most.data) note(`There may be more: --limit ${mostAtOnce} shows them.`);
  });
}

export function show(id: string, { json = false }: { json?: boolean }): Promise<void> {
  const asked = idOf(id);
  return onLetters(async (letters) => {
    const letter = await letters.find(asked);
    if (letter === undefined)
      throw new MissingFault(`There is no dead letter ${asked}. strongroom dead-letters list --all shows them.`);
    if (json) return sayJson(letter);
    const { message, error, ...facts } = letter;
    for (const [name, value] of Object.entries(facts)) say(`${name.padEnd(14)} ${inLine(String(value ?? 'never'))}`);
    say(`\n${error}\n`);
    sayJson(message, 2);
  });
}

/** @throws {Error} when a letter is not there, or has failed again */
export function replay(ids: string[], { all = false, wait = false }: { all?: boolean; wait?: boolean }): Promise<void> {
  if (all === ids.length > 0) throw new UsageFault('Name the letters to replay, or --all.');
  const named = ids.map(idOf);
  return onLetters(async (letters) => {
    const waiting = all ? (await letters.list({ withReplayed: false, limit: mostAtOnce })).map(({ id }) => id) : named;
    const marked = await letters.askReplay(waiting);
    const open = named.filter((id) => !marked.includes(id));
    if (marked.length > 0 || all)
      say(`${marked.length} ${marked.length === 1 ? 'letter is' : 'letters are'} handled again within seconds.`);
    if (open.length > 0)
      throw new MissingFault(
        `No letter waits with the id ${open.join(', ')}. strongroom dead-letters list --all shows those that there are.`,
      );
    if (wait) await handled(letters, marked);
  });
}

/** Waits until each letter was handled. @throws {Error} when one has failed again */
async function handled(letters: KeptLetters, ids: readonly string[]): Promise<void> {
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
  if (failed.length > 0) throw new Error(`${failed.join(', ')} failed again. The log of the service says why.`);
  say(`${ids.length === 1 ? 'It was' : 'All were'} handled.`);
}

function rowOf({ id, setAsideAt, group, topic, error, replayAskedAt, replayedAt }: KeptLetter): string {
  const state = replayedAt !== null ? 'replayed' : replayAskedAt !== null ? 'asked' : 'waits';
  return [id, setAsideAt, state, group, topic, inLine(error).slice(0, 120)].join('  ');
}

function idOf(text: string): string {
  const id = z.uuid().safeParse(text.toLowerCase());
  if (id.success) return id.data;
  throw new UsageFault(`${text} is no id of a letter. strongroom dead-letters list shows them.`);
}

async function onLetters(work: (letters: KeptLetters) => Promise<void>): Promise<void> {
  const dataSource = await createDataSource({ url: databaseUrl(), applicationName: 'strongroom-letters' }).initialize();
  try {
    await work(new KeptLetters(dataSource));
  } finally {
    await dataSource.destroy();
  }
}
