/**
 * What proves that a server is the one that a backup was taken of: a replication slot that the full backup left on it.
 * Slots are in no backup, so a server that was restored has none; its system id and timeline may well be the same, and
 * PostgreSQL would build on the wrong parent without a word. The slot reserves no WAL and costs nothing but its place.
 * A snapshot of the server's storage does carry it (docs/decisions/0016-a-rollback-of-storage.md).
 */
import { createHash } from 'node:crypto';
import type pg from 'pg';
import { sqlStateOf } from './server-fault.js';

const duplicateObject = '42710';
const undefinedObject = '42704';
const noFreeSlot = '53400';

/** The slot of the chain that begins with a full backup. */
export function chainSlotOf(fullBackupId: string): string {
  return `strongroom_chain_${createHash('sha256').update(fullBackupId).digest('hex').slice(0, 40)}`;
}

/** False when the server has no slot free. */
export async function makeChainSlot(client: pg.Client, slot: string): Promise<boolean> {
  try {
    await client.query(`CREATE_REPLICATION_SLOT "${slot}" PHYSICAL`);
    return true;
  } catch (error) {
    const code = sqlStateOf(error);
    if (code === duplicateObject) return true;
    if (code === noFreeSlot) return false;
    throw error;
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
