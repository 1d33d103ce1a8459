/** What tells that a backup or a copy is complete: that it was made here, or that it was found in a vault. */
import type { RecordedEvent } from '@strongroom/contracts';

export type BackupCompletion = RecordedEvent<'BackupCompleted' | 'BackupCatalogued'>;
export type CopyCompletion = RecordedEvent<'CopyCompleted' | 'CopyCatalogued'>;

export function isBackupCompletion(event: RecordedEvent): event is BackupCompletion {
  return event.type === 'BackupCompleted' || event.type === 'BackupCatalogued';
}

export function isCopyCompletion(event: RecordedEvent): event is CopyCompletion {
  return event.type === 'CopyCompleted' || event.type === 'CopyCatalogued';
}
