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
import { againstServer, type Ground } from './grounds.js';
import type { Server } from './server.js';
import { sqlStateOf } from './server-fault.js';

const undefinedObject = '42704';
const noFreeSlot = '53400';

export function chainSlotOf(backupId: string): string {
  return `strongroom_chain_${createHash('sha256').update(backupId).digest('hex').slice(0, 40)}`;
}

/**
 * Leaves the slot of a backup that has ended. A dead attempt's is dropped: it is older than what this one holds. The
 * backup's temporary slot is given up first, so that the server needs no place for both.
 * @returns why there is none; undefined when there is one
 */
export async function leaveSlot(
  client: pg.Client,
  server: Server,
  slots: { backupId: string; temporary: string },
): Promise<Ground | undefined> {
  const slot = chainSlotOf(slots.backupId);
  await dropChainSlot(client, slots.temporary);
  await dropChainSlot(client, slot);
  const against = againstServer(server);
  if (against) return against;
  try {
    await client.query(`CREATE_REPLICATION_SLOT "${slot}" PHYSICAL`);
    return undefined;
  } catch (error) {
    if (sqlStateOf(error) !== noFreeSlot) throw error;
    return {
      ground: 'no-slot-free',
      reason: 'When it had ended the server had no replication slot free for it. Raise max_replication_slots.',
    };
  }
}

export async function hasChainSlot(client: pg.Client, slot: string): Promise<boolean> {
  const { rows } = await client.query<{ slot_type: string | null }>(`READ_REPLICATION_SLOT "${slot}"`);
  return (rows[0]?.slot_type ?? null) !== null;
}

/** One that is not there is dropped already. */
export async function dropChainSlot(client: pg.Client, slot: string): Promise<void> {
  try {
    await client.query(`DROP_REPLICATION_SLOT "${slot}"`);
  } catch (error) {
    if (sqlStateOf(error) !== undefinedObject) throw error;
  }
}
