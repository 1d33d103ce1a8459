/** What is asked for when a completed backup is owed to a region. */
import type { EventData } from '@strongroom/contracts';
import { copyId } from './identities.js';

export function copyRequest(
  { backupId, instanceId, region: sourceRegion, parentId, sizeBytes, sha256 }: EventData<'BackupCompleted'>,
  region: string,
): EventData<'CopyRequested'> {
  return { copyId: copyId(backupId, region), backupId, instanceId, region, sourceRegion, parentId, sizeBytes, sha256 };
}
