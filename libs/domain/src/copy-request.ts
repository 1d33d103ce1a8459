/** Makes the request for the copy of a completed backup that a region is owed. */
import type { EventData } from '@strongroom/contracts';
import { copyId } from './identities.js';

/** @param sourceRegion the region to copy from first. Default: where the backup was made */
export function copyRequest(
  { backupId, instanceId, region: madeIn, parentId, sizeBytes, sha256 }: EventData<'BackupCompleted'>,
  region: string,
  sourceRegion = madeIn,
): EventData<'CopyRequested'> {
  return { copyId: copyId(backupId, region), backupId, instanceId, region, sourceRegion, parentId, sizeBytes, sha256 };
}
