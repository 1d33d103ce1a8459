/** Ids that are made from what they name. Two processes that decide about the same thing decide it on the same stream. */
import { hash } from 'node:crypto';

const scheduledBackups = namespace('b5a9c8a4-6d07-5c8c-9d0c-0c1c6b1f3e11');
const copies = namespace('6f2d3c55-7b0a-5c7e-8a55-51b1d0d8a9c2');

/**
 * The id of the backup for one slot of a schedule, or of what became of the slot instead. So a slot runs once, no matter which
 * process decides it.
 */
export function scheduledBackupId(scheduleId: string, slotAt: Date): string {
  return namedId(`${scheduleId} ${slotAt.toISOString()}`, scheduledBackups);
}

/**
 * The id of the backup for a slot whose first outcome is that it has none, when a clock that was wrong has decided that. Nothing but a
 * backup has such an id, so a slot becomes at most one backup.
 */
export function madeUpBackupId(scheduleId: string, slotAt: Date): string {
  return namedId(`${scheduleId} ${slotAt.toISOString()} 1`, scheduledBackups);
}

/** The id of a backup's copy in a region. A region is owed one copy, however often it is asked for. */
export function copyId(backupId: string, region: string): string {
  return namedId(`${backupId} ${region}`, copies);
}

function namespace(id: string): Buffer {
  return Buffer.from(id.replaceAll('-', ''), 'hex');
}

/** A UUID of version 5 (RFC 9562). The package `uuid` makes the same in four times the time, and a slot dispatcher makes one for each slot. */
function namedId(name: string, within: Buffer): string {
  const digest = hash('sha1', Buffer.concat([within, Buffer.from(name)]), 'hex');
  const variant = ((Number.parseInt(digest.charAt(16), 16) & 0b11) | 0b1000).toString(16);
  return `${digest.slice(0, 8)}-${digest.slice(8, 12)}-5${digest.slice(13, 16)}-${variant}${digest.slice(17, 20)}-${digest.slice(20, 32)}`;
}
