/**
 * Why a backup that has had its time is still there, as the event and the API tell it. A sentence says only what stays true
 * until retention looks again.
 */
import type { PutOff } from './backup-state.js';
import type { PutOffByRetention } from './retention.js';

/** Enough to see what is waited for. More of them say nothing new. */
const mostNamed = 20;

const had = 'It has had its time.';

/** Whether two reasons are one: their sentences follow from the rest. The order of the backups does not count. */
export function isSamePutOff(
  told: Pick<PutOff, 'ground' | 'waitsFor'> | undefined,
  found: Pick<PutOff, 'ground' | 'waitsFor'>,
): boolean {
  if (!told || told.ground !== found.ground || told.waitsFor.length !== found.waitsFor.length) return false;
  return found.waitsFor.every((id) => told.waitsFor.includes(id));
}

/** What is told of a backup that retention can't let go. */
export function putOffByRetention({ ground, waitsFor }: Omit<PutOffByRetention, 'backupId'>): PutOff {
  const named = waitsFor.slice(0, mostNamed);
  return { ground, reason: `${had} ${sentences[ground](named)}`, waitsFor: named };
}

/** Nothing is in the way any more, and retention has not looked since. */
export function putOffUntilNext(scheduleId: string): PutOff {
  const reason = `${had} Retention deletes it when the next backup of schedule ${scheduleId}, or the next copy of one, is completed.`;
  return { ground: 'next-completion', reason, waitsFor: [] };
}

/** @param waitsFor the backups that are built on it and have not ended, as far as they are known */
export function putOffWhileRunning(waitsFor: readonly string[]): PutOff {
  const named = waitsFor.slice(0, mostNamed);
  const which = named.length > 0 ? `${backups(named)}, built on it,` : 'a backup that is built on it';
  return {
    ground: 'backup-still-running',
    reason: `${had} It is kept because ${which} has not ended.`,
    waitsFor: named,
  };
}

/** @param heldIds the backups on hold: it is one of them, or they are built on it */
export function putOffOnHold(backupId: string, heldIds: readonly string[]): PutOff {
  const named = heldIds.filter((id) => id !== backupId).slice(0, mostNamed);
  const which = named.length > 0 ? `${backups(named)}, built on it, is` : 'it is';
  return { ground: 'on-hold', reason: `${had} It is kept because ${which} on hold.`, waitsFor: named };
}

/** The schedule asked for more until lately. */
export function putOffUntilSettled(scheduleId: string, until: Date): PutOff {
  const reason = `${had} Schedule ${scheduleId} keeps less, or has fewer copies made, than until lately. That counts from ${until.toISOString()} on. Retention deletes it when a backup or a copy is completed after that.`;
  return { ground: 'schedule-changed', reason, waitsFor: [] };
}

/** Something that is recorded can't be read. */
export function putOffAsBroken(why: string): PutOff {
  const reason = `${had} Its deletion could not be asked for: ${why}. An operator has to look at it.`;
  return { ground: 'set-aside', reason, waitsFor: [] };
}

const sentences: Record<PutOffByRetention['ground'], (ids: readonly string[]) => string> = {
  'copies-missing': (ids) =>
    `It is kept until enough newer backups, and the newest of them, are in every region that is owed a copy. The newer ${backups(ids)} is not: its \`locationRef\` and \`copies\` say where it is.`,
  'built-on': (ids) =>
    ids.length === 1
      ? `It is kept because ${backups(ids)} is built on it, and is kept.`
      : `It is kept because ${backups(ids)} are built on it, and are kept.`,
};

function backups(ids: readonly string[]): string {
  return ids.length === 1 ? `backup ${ids[0]}` : `backups ${ids.join(', ')}`;
}
