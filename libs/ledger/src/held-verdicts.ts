/** Asks the ledger what it knows of the backups that a region's vault holds. */
import { type StreamName, streamOf } from '@strongroom/contracts';
import { copyId, type HeldVerdict, verdictOn } from '@strongroom/domain';
import type { EntityManager } from 'typeorm';
import type { Ledger } from './ledger.js';

export async function heldVerdicts(
  { ledger, manager }: { ledger: Ledger; manager: EntityManager },
  region: string,
  backupIds: readonly string[],
): Promise<Map<string, HeldVerdict>> {
  const ofCopy = (backupId: string): StreamName => streamOf('copy', copyId(backupId, region));
  const ofBackup = (backupId: string): StreamName => streamOf('backup', backupId);
  const streams = backupIds.flatMap((backupId) => [ofBackup(backupId), ofCopy(backupId)]);
  const { told: histories, unreadable } = await ledger.readEach(manager, streams);
  return new Map(
    backupIds.map((backupId) => {
      // Of a backup whose history can't be read nothing is removed, and the sweep of the others goes on.
      if (unreadable.has(ofBackup(backupId)) || unreadable.has(ofCopy(backupId))) return [backupId, { is: 'in-hand' }];
      const backup = histories.get(ofBackup(backupId)) ?? [];
      const copy = histories.get(ofCopy(backupId)) ?? [];
      return [backupId, verdictOn({ region, backup, copy })];
    }),
  );
}
