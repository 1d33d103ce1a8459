/**
 * The replication slot that a backup leaves on its server proves that the server holds the backup's state or a later one.
 *
 * No backup contains replication slots, so a restored server has none. Its system id and timeline may be the same, and
 * PostgreSQL would build on the wrong parent without an error. A snapshot of the storage does contain them: one from before
 * the backup's end lacks this one, and one from after it holds all that the backup holds. For that reason it is made when the
 * backup has ended, and not when it begins. It reserves no WAL, and costs nothing but its place.
 */
import { createHash } from 'node:crypto';
import type pg from 'pg';
import { EngineFault } from '../../engine-fault.js';
import type { ServerConnection } from '../connection.js';
import { type Server, show } from '../server.js';
import { saidBy, sqlStateOf } from '../server-words.js';
import { againstServer, type Ground } from './grounds.js';

const undefinedObject = '42704';
const noFreeSlot = '53400';

export function replicationSlotOf(backupId: string): string {
  return `strongroom_chain_${createHash('sha256').update(backupId).digest('hex').slice(0, 40)}`;
}

/**
 * Makes the temporary replication slot that keeps the WAL of a backup until its connection ends.
 * @throws {EngineFault} when the server never has one; errors of the server as they are
 */
export async function reserveWal({ client, tried }: ServerConnection, temporary: string): Promise<void> {
  try {
    await client.query(`CREATE_REPLICATION_SLOT "${temporary}" TEMPORARY PHYSICAL (RESERVE_WAL)`);
  } catch (error) {
    if (sqlStateOf(error) !== noFreeSlot || (await show(client, 'max_replication_slots')) !== '0') throw error;
    throw new EngineFault(
      'backup-not-permitted',
      `The server refuses: ${saidBy(error)} Set max_replication_slots above 0, and restart the server. ${tried}`,
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
  client: pg.Client,
  server: Server,
  { backupId, temporary, isIncremental }: { backupId: string; temporary: string; isIncremental: boolean },
): Promise<Ground | undefined> {
  const slot = replicationSlotOf(backupId);
  await dropReplicationSlot(client, temporary);
  await dropReplicationSlot(client, slot);
  const against = againstServer(server);
  if (against) return against;
  if (!(await isMade(client, `"${slot}" PHYSICAL`))) return noneFree;
  if (isIncremental) return undefined;
  const isPlaceLeft = await isMade(client, `"${temporary}" TEMPORARY PHYSICAL`);
  await dropReplicationSlot(client, isPlaceLeft ? temporary : slot);
  return isPlaceLeft ? undefined : noneFree;
}

const noneFree: Ground = {
  ground: 'no-slot-free',
  reason:
    'When it had ended the server had no replication slot free for it beside the one that the next backup needs. Raise max_replication_slots.',
};

/** False when the server has no place for it. */
async function isMade(client: pg.Client, slot: string): Promise<boolean> {
  try {
    await client.query(`CREATE_REPLICATION_SLOT ${slot}`);
    return true;
  } catch (error) {
    if (sqlStateOf(error) === noFreeSlot) return false;
    throw error;
  }
}

export async function hasReplicationSlot(client: pg.Client, slot: string): Promise<boolean> {
  const { rows } = await client.query<{ slot_type: string | null }>(`READ_REPLICATION_SLOT "${slot}"`);
  return (rows[0]?.slot_type ?? null) !== null;
}

/** Does nothing when it is not there. */
export async function dropReplicationSlot(client: pg.Client, slot: string): Promise<void> {
  try {
    await client.query(`DROP_REPLICATION_SLOT "${slot}"`);
  } catch (error) {
    if (sqlStateOf(error) !== undefinedObject) throw error;
  }
}
