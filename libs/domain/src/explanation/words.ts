/** The parts of an event as words of a sentence. */
import type { EventData, RecordedEvent } from '@strongroom/contracts';
import type { ScheduleDefinition } from '../schedule.js';

const days = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const instantForm = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

/**
 * By name, the parts of an event's data, and of what its data holds within. Three names are no part of the data: `actor` is who did it, `because` is
 * the reason that the actor has given, and `definition` is what a schedule says.
 * @param nameOf the name that is shown for that of an actor
 */
export function wordsOf(event: RecordedEvent, nameOf: (actor: string) => string): Map<string, string> {
  const { type, data, context } = event;
  const words = new Map<string, string>([['actor', nameOf(context.actor)]]);
  if (context.reason !== undefined) words.set('because', asSentence(context.reason));
  for (const [name, value] of partsOf(data)) words.set(name, inWords(name, value));
  if (type === 'ScheduleCreated' || type === 'ScheduleUpdated') words.set('definition', definitionInWords(data));
  return words;
}

/** The sentence with the words in place of the names in braces. @throws {TypeError} when the event has no such part */
export function filled(sentence: string, words: ReadonlyMap<string, string>): string {
  return sentence.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    const word = words.get(name);
    if (word === undefined) throw new TypeError(`no event has the part ${name} of the sentence: ${sentence}`);
    return word;
  });
}

/** What a schedule says, as sentences. */
export function definitionInWords(definition: ScheduleDefinition): string {
  const { dayOfWeek, hour, minute, fullBackupRetention: cycles, copyTo } = definition;
  const time = `${String(hour).padStart(2, '0')}:${String(minute).padStart(2, '0')} UTC`;
  const day = days[dayOfWeek];
  const when = day === undefined ? `every day at ${time}, always full` : `every day at ${time}, full on ${day}`;
  const copies = copyTo.length === 0 ? 'copies its backups nowhere' : `copies its backups to ${listed(copyTo)}`;
  return `It runs ${when}. It keeps ${cycles === 1 ? '1 cycle' : `${cycles} cycles`}, and ${copies}.`;
}

/** An instant to the second: `2026-11-14T14:30:00Z`. */
export function toSecond(at: string): string {
  return `${at.slice(0, 19)}Z`;
}

/** `A`, `A and B`, `A, B and C`. */
export function listed(items: readonly string[]): string {
  if (items.length < 2) return items.join('');
  return `${items.slice(0, -1).join(', ')} and ${items.at(-1)}`;
}

function partsOf(data: EventData<RecordedEvent['type']>): [string, unknown][] {
  return Object.entries(data).flatMap(([name, value]: [string, unknown]): [string, unknown][] =>
    name === 'endpoint' && typeof value === 'object' && value !== null ? Object.entries(value) : [[name, value]],
  );
}

function inWords(name: string, value: unknown): string {
  if (typeof value === 'string') {
    if (name === 'reason') return asSentence(value);
    return instantForm.test(value) ? toSecond(value) : value;
  }
  if (name === 'delayMs') return duration(Number(value));
  if (Array.isArray(value)) return listed(value.map(String));
  if (name === 'datastore' && typeof value === 'object' && value !== null) return Object.values(value).join(' ');
  return String(value);
}

function duration(ms: number): string {
  const minutes = Math.round(ms / 60_000);
  if (minutes < 1) return `${Math.round(ms / 1_000)} s`;
  return minutes < 120 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** A reason that somebody has given, as a sentence. */
export function asSentence(reason: string): string {
  const told = reason.charAt(0).toUpperCase() + reason.slice(1);
  return /[.!?]$/.test(told) ? told : `${told}.`;
}
