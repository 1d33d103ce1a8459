/** What is asked for when a completed backup is owed to a region. */
import type { EventData } from '@strongroom/contracts';
import { copyId } from './identities.js';

/** @param sourceRegion where the bytes are to come from first. Default: where the backup was made */
export function copyRequest(
  { backupId, instanceId, region: madeIn, parentId, sizeBytes, sha256 }: EventData<'BackupCompleted'>,
  region: string,
  sourceRegion = madeIn,
): EventData<'CopyRequested'> {
  return { copyId: copyId(backupId, region), backupId, instanceId, region, sourceRegion, parentId, sizeBytes, sha256 };
}
