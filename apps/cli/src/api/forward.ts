/**
 * `events tail --forward-to`: sends each event to an address, in order. The next one goes when the one before was taken, and a file remembers
 * which that was: so each is sent at least once, whatever dies, and a receiver knows one that came again by its id.
 */
import { randomUUID } from 'node:crypto';
import { open, readFile, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type EventResource, messageOf, uuid, whyNotFetched } from '@strongroom/contracts';
import { AdvisedFault, UsageFault } from '../command-fault.js';
import { note } from '../output.js';

export interface ForwardOptions {
  url: string;
  /** The file that remembers the id of the last event that was taken. */
  cursor?: string | undefined;
}

const anotherFile = 'Name another file: --cursor PATH';
const leastPauseMs = 500;
const longestPauseMs = 30_000;
/** How long the receiver may take for an event, in milliseconds. */
const patienceMs = 30_000;
/** Statuses of a refusal that passes; so do all of 500 and above. */
const passing = new Set([408, 425, 429]);

/** @returns undefined when there is no file yet @throws {UsageFault} for a file with something else */
export async function cursorIn(path: string): Promise<string | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    if (typeof cause === 'object' && cause !== null && 'code' in cause && cause.code === 'ENOENT') return undefined;
    throw new UsageFault(`${path} can't be read: ${messageOf(cause)}`, anotherFile, { cause });
  }
  const id = uuid.safeParse(text.trim());
  if (!id.success) throw new UsageFault(`${path} does not have the id of an event.`, 'Move it away to begin anew.');
  return id.data;
}

/** @throws {UsageFault} when the file can't be written */
export async function keepCursor(path: string, id: string): Promise<void> {
  const beside = join(dirname(path), `.cursor.${randomUUID()}`);
  try {
    const file = await open(beside, 'wx', 0o600);
    try {
      await file.writeFile(`${id}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(beside, path);
  } catch (cause) {
    throw new UsageFault(`${path} can't be written: ${messageOf(cause)}`, anotherFile, { cause });
  }
}

/**
 * Sends an event until it is taken, with growing pauses.
 * @throws {AdvisedFault} when the receiver refuses it in a way that does not pass
 */
export async function forwarded(
  event: EventResource,
  { url, cursor }: ForwardOptions,
  signal: AbortSignal,
): Promise<void> {
  for (let pauseMs = leastPauseMs; ; pauseMs = Math.min(longestPauseMs, pauseMs * 2)) {
    const refusal = await sent(event, url, signal);
    if (refusal === undefined) break;
    note(`${refusal} Event ${event.id} is sent again in ${Math.ceil(pauseMs / 1_000)} s.`);
    await delay(pauseMs, undefined, { signal });
  }
  if (cursor !== undefined) await keepCursor(cursor, event.id);
}

/** @returns why it was not taken, where that passes; undefined when it was taken */
async function sent(event: EventResource, url: string, signal: AbortSignal): Promise<string | undefined> {
  let status: number;
  try {
    const answer = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'user-agent': 'strongroom' },
      body: JSON.stringify(event),
      redirect: 'manual',
      signal: AbortSignal.any([signal, AbortSignal.timeout(patienceMs)]),
    });
    await answer.body?.cancel();
    ({ status } = answer);
  } catch (error) {
    signal.throwIfAborted();
    return `${url} does not answer: ${whyNotFetched(error)}.`;
  }
  if (status >= 200 && status < 300) return undefined;
  const refusal = `${url} answers ${status} to event ${event.id} (${event.type}).`;
  if (status >= 500 || passing.has(status)) return refusal;
  throw new AdvisedFault(
    `${refusal} What came before it was taken.`,
    `Put the receiver right, and go on: --since ${event.id} sends what comes after it.`,
    undefined,
  );
}
