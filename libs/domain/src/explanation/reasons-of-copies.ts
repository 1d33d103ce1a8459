/** How the events of a copy are told. */
import type { ReasonsOf } from './reason.js';

export const reasonsOfCopies: ReasonsOf<'copy'> = {
  CopyRequested: [
    {
      reason: 'copy-owed',
      sentence: 'A copy of backup {backupId} is owed to {region}, and is to be made from {sourceRegion}.',
    },
  ],
  CopyStarted: [
    {
      reason: 'copy-attempt-again',
      sentence: 'Attempt {attempt} at the copy to {region} began, after the one before it failed or was lost.',
      holds: ({ attempt }) => attempt > 1,
    },
    { reason: 'copy-attempt', sentence: 'Attempt {attempt} at the copy to {region} began.' },
  ],
  CopyAttemptFailed: [
    {
      reason: 'copy-waits',
      sentence:
        'The copy to {region} waits, because attempt {attempt} failed ({code}). It is tried again at {retryAt}. {reason}',
    },
  ],
  CopyCompleted: [
    {
      reason: 'copy-completed',
      sentence: 'The copy is in {region}: {sizeBytes} bytes were read back there, and are those of the backup.',
    },
  ],
  CopyCatalogued: [
    {
      reason: 'copy-catalogued',
      sentence:
        'The vault of {region} was found to hold a copy that the ledger did not know: {sizeBytes} bytes, as its manifest says.',
    },
  ],
  CopyFailed: [
    {
      reason: 'not-copied',
      sentence: 'The backup was not copied to {region}, and no further attempt follows ({code}). {reason}',
    },
  ],
  CopySourceChanged: [
    {
      reason: 'copy-source-changed',
      sentence: 'Attempt {attempt} at the copy to {region} took the bytes from {sourceRegion} instead.',
    },
  ],
  CopyStranded: [
    {
      reason: 'copy-waits-for-region',
      sentence: 'The copy to {region} waits, because the deployment has no vault for a region. {reason}',
    },
  ],
  CopyCheckRequested: [
    {
      reason: 'copy-check-asked-for',
      sentence: 'The copy in {region} is to be read again, and to be made again if it is not whole.',
    },
  ],
  CopyChecked: [
    { reason: 'copy-checked', sentence: 'The copy in {region} was read again, and is what was backed up.' },
  ],
  CopyLost: [
    {
      reason: 'copy-lost',
      sentence: 'The region {region} has lost the backup, and is owed it again ({code}). {reason}',
    },
  ],
  CopyDeletionRequested: [
    { reason: 'copy-goes', sentence: 'The copy in {region} is to be removed, because its backup is deleted.' },
  ],
  CopyDeleted: [{ reason: 'copy-gone', sentence: 'The copy is gone from {region}, because its backup is deleted.' }],
};
