/**
 * Finds out why a server has ended the connection of a backup. The backup's replication slot keeps the WAL since the backup's
 * beginning, and can't advance: the archive ends with all of that WAL. When it is more than max_slot_wal_keep_size, the server
 * ends the connection, and says no more than "terminating connection due to administrator command", or nothing at all.
 */
import type { EngineTarget } from '../../engine.js';
import { EngineFault } from '../../engine-fault.js';
import { ServerConnection, type ServerPatience } from '../connection.js';
import { bytesBetween, isLsn } from '../lsn.js';
import { identify, show } from '../server.js';
import { bytesOfSize, sizeSetting } from '../server-says.js';

export interface EndedBackup {
  /** Where the backup begins. Its replication slot keeps the WAL from there on, at the least. */
  startLsn: string;
  patience: Pick<ServerPatience, 'connectMs' | 'answerMs'>;
  signal: AbortSignal;
}

const limit = 'max_slot_wal_keep_size';

/** @returns a fault that names the setting when it is the reason, as the server's own numbers tell; else the fault as it was */
export async function whyEnded(
  fault: EngineFault,
  target: EngineTarget,
  { startLsn, patience, signal }: EndedBackup,
): Promise<EngineFault> {
  let connection: ServerConnection | undefined;
  try {
    const { connectMs, answerMs } = patience;
    connection = await ServerConnection.open(target, 'replication', { connectMs, answerMs, signal });
    const kept = await show(connection, limit, sizeSetting);
    const { xlogpos: now } = await identify(connection);
    if (!isLsn(startLsn)) return fault;
    const written = bytesBetween(startLsn, now);
    if (!(written > bytesOfSize(kept))) return fault;
    return new EngineFault(
      'backup-aborted-by-server',
      `The server has written ${Math.floor(written / 1_048_576)} MB of WAL since the backup began, and keeps no more than ${kept} of it for a backup (${limit}): it ends the connection of a backup that needs more. Raise ${limit}, back up when less is written, or see what makes the backup slow, such as the vault. ${fault.message}`,
      { cause: fault },
    );
  } catch {
    // The server is gone, or does not answer: then that is what is to be told.
    return fault;
  } finally {
    connection?.destroy();
  }
}
