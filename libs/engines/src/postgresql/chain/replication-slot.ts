/**
 * What proves that a server holds the state that a backup holds, or a later one: a replication slot that the backup left
 * on it after its end. Slots are in no backup, so a server that was restored has none; its system id and timeline may
 * well be the same, and PostgreSQL would build on the wrong parent without a word. A snapshot of the server's storage
 * does carry its slots: one that was made before the backup had ended does not have this one, and one that was made
 * afterwards holds all that the backup holds. (A slot that was made when the backup began may be in a snapshot that was
 * made during the backup, and lacks what was written until its end.) It reserves no WAL and costs nothing but its place.
 */
import { createHash } from 'node:crypto';
import type pg from 'pg';
import type { Server } from '../server.js';
import { sqlStateOf } from '../server-fault.js';
import { againstServer, type Ground } from './grounds.js';

const undefinedObject = '42704';
const noFreeSlot = '53400';

export function replicationSlotOf(backupId: string): string {
  return `strongroom_chain_${createHash('sha256').update(backupId).digest('hex').slice(0, 40)}`;
}

/**
 * Leaves the slot of a backup that has ended. A dead attempt's is dropped: it is older than what this one holds. The
 * backup's temporary slot is given up first, so that the server needs no place for both; but a place must be left for
 * that of the next backup, which fails without. A parent's slot that was there beside it says that there is one.
 * @returns why there is none; undefined when there is one
 */
export async function leaveReplicationSlot(
  client: pg.Client,
  server: Server,
  slots: { backupId: string; temporary: string; isIncremental: boolean },
): Promise<Ground | undefined> {
  const slot = replicationSlotOf(slots.backupId);
  await dropReplicationSlot(client, slots.temporary);
  await dropReplicationSlot(client, slot);
  const against = againstServer(server);
  if (against) return against;
  if (!(await isMade(client, `"${slot}" PHYSICAL`))) return noneFree;
  if (slots.isIncremental) return undefined;
  const isPlaceLeft = await isMade(client, `"${slots.temporary}" TEMPORARY PHYSICAL`);
  await dropReplicationSlot(client, isPlaceLeft ? slots.temporary : slot);
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

/** One that is not there is dropped already. */
export async function dropReplicationSlot(client: pg.Client, slot: string): Promise<void> {
  try {
    await client.query(`DROP_REPLICATION_SLOT "${slot}"`);
  } catch (error) {
    if (sqlStateOf(error) !== undefinedObject) throw error;
  }
}
