/**
 * The replication slot that a backup leaves on its server proves that the server holds the backup's state or a later one.
 *
 * No backup contains replication slots, so a restored server has none. Its system id and timeline may be the same, and
 * PostgreSQL would build on the wrong parent without an error. A snapshot of the storage does contain them: one from before
 * the backup's end lacks this one, and one from after it holds all that the backup holds. For that reason it is made when the
 * backup has ended, and not when it begins. It reserves no WAL, and costs nothing but its place.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { EngineFault } from '../../engine-fault.js';
import type { ServerConnection } from '../connection.js';
import { type Server, show } from '../server.js';
import { digits, words } from '../server-says.js';
import { saidBy, sqlStateOf } from '../server-words.js';
import { againstServer, type Ground } from './grounds.js';

const undefinedObject = '42704';
const noFreeSlot = '53400';
/** The most that the setting can be. */
const mostSlots = 262_143;
const slotType = z.object({ slot_type: words(64).nullable() });
/** The server says what it made, which is not needed. */
const made = { mostRows: 1 };

export function replicationSlotOf(backupId: string): string {
  return `strongroom_chain_${createHash('sha256').update(backupId).digest('hex').slice(0, 40)}`;
}

/**
 * Makes the temporary replication slot that keeps the WAL of a backup until its connection ends.
 * @throws {EngineFault} when the server never has one; errors of the server as they are
 */
export async function reserveWal(connection: ServerConnection, temporary: string): Promise<void> {
  try {
    await connection.ask(`CREATE_REPLICATION_SLOT "${temporary}" TEMPORARY PHYSICAL (RESERVE_WAL)`, z.unknown(), made);
  } catch (error) {
    if (sqlStateOf(error) !== noFreeSlot || (await show(connection, 'max_replication_slots', digits(mostSlots))) !== 0)
      throw error;
    throw new EngineFault(
      'backup-not-permitted',
      `The server refuses: ${saidBy(error)} Set max_replication_slots above 0, and restart the server. ${connection.tried}`,
      { cause: error },
    );
  }
}

/**
 * Leaves the replication slot of a backup that has ended. One that a dead attempt left is dropped, since it is older. The
 * backup's temporary one is dropped first, so that the server needs no place for both. A place must stay free for the next
 * backup, which fails without it. An incremental has its parent's beside its own, so for that one there is a place.
 * @returns why none could be made; undefined when it was made
 */
export async function leaveReplicationSlot(
  connection: ServerConnection,
  server: Server,
  { backupId, temporary, isIncremental }: { backupId: string; temporary: string; isIncremental: boolean },
): Promise<Ground | undefined> {
  const slot = replicationSlotOf(backupId);
  await dropReplicationSlot(connection, temporary);
  await dropReplicationSlot(connection, slot);
  const against = againstServer(server);
  if (against) return against;
  if (!(await isMade(connection, `"${slot}" PHYSICAL`))) return noneFree;
  if (isIncremental) return undefined;
  const isPlaceLeft = await isMade(connection, `"${temporary}" TEMPORARY PHYSICAL`);
  await dropReplicationSlot(connection, isPlaceLeft ? temporary : slot);
  return isPlaceLeft ? undefined : noneFree;
}

const noneFree: Ground = {
  ground: 'no-slot-free',
  reason:
    'When it had ended the server had no replication slot free for it beside the one that the next backup needs. Raise max_replication_slots.',
};

/** False when the server has no place for it. */
async function isMade(connection: ServerConnection, slot: string): Promise<boolean> {
  try {
    await connection.ask(`CREATE_REPLICATION_SLOT ${slot}`, z.unknown(), made);
    return true;
  } catch (error) {
    if (sqlStateOf(error) === noFreeSlot) return false;
    throw error;
  }
}

export async function hasReplicationSlot(connection: ServerConnection, slot: string): Promise<boolean> {
  const [found] = await connection.ask(`READ_REPLICATION_SLOT "${slot}"`, slotType);
  return (found?.slot_type ?? null) !== null;
}

/** Does nothing when it is not there. */
export async function dropReplicationSlot(connection: ServerConnection, slot: string): Promise<void> {
  try {
    await connection.tell(`DROP_REPLICATION_SLOT "${slot}"`);
  } catch (error) {
    if (sqlStateOf(error) !== undefinedObject) throw error;
  }
}
