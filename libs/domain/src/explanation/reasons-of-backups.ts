/**
 * How the events of a backup are told, and of what became of a slot instead of one. What an engine has against incrementals is told in
 * the engine's own words, so there is one reason for all of it, and the ground tells them apart.
 */
import { isWhyBusy, isWhyOverQuota, whyPaused, whyTaken } from '../skipped-slots.js';
import type { ReasonsOf } from './reason.js';

const noneMade = 'No backup was made for the slot of {slotAt}';
const late = 'The backup was begun {delayMs} late';
const full = 'The backup was made full';
const untilThen = 'Its bytes stay until {purgeAt} at least, and it can be brought back as long as they are there.';
const kept = 'The backup has had its time, and is kept for now';
const goesOn = 'The bytes of the backup are to be removed from every vault';

export const reasonsOfBackups: ReasonsOf<'backup'> = {
  SlotSkipped: [
    {
      reason: 'skipped-paused',
      sentence: `${noneMade}, because the schedule was paused.`,
      holds: ({ reason }) => reason === whyPaused,
    },
    {
      reason: 'skipped-busy',
      sentence: `${noneMade}, because another backup of the instance had not ended. {reason}`,
      holds: ({ reason }) => isWhyBusy(reason),
    },
    {
      reason: 'skipped-taken',
      sentence: `${noneMade}, because another backup of the instance was asked for at the same time.`,
      holds: ({ reason }) => reason === whyTaken,
    },
    {
      reason: 'skipped-over-quota',
      sentence: `${noneMade}, because the account stores as much as it may. {reason}`,
      holds: ({ reason }) => isWhyOverQuota(reason),
    },
    { reason: 'skipped', sentence: `${noneMade}: it was skipped. {reason}` },
  ],
  SlotMissed: [{ reason: 'missed', sentence: `${noneMade}: it was missed, and is not made up for. {reason}` }],
  BackupRequested: [
    {
      reason: 'ran-slot-full',
      sentence: 'The slot of {slotAt} asked for the backup. The schedule plans a full one for that day.',
      holds: ({ trigger, type }) => trigger === 'slot' && type === 'full',
    },
    {
      reason: 'ran-slot-incremental',
      sentence: 'The slot of {slotAt} asked for the backup. The schedule plans an incremental for that day.',
      holds: ({ trigger }) => trigger === 'slot',
    },
    {
      reason: 'ran-now',
      sentence: '{actor} asked for the backup by run_now. Such a run is full.',
      holds: ({ trigger }) => trigger === 'run-now',
    },
    {
      reason: 'ran-asked-incremental',
      sentence: '{actor} asked for the backup, and for an incremental.',
      holds: ({ type }) => type === 'incremental',
    },
    { reason: 'ran-asked-full', sentence: '{actor} asked for the backup, and for a full one.' },
  ],
  BackupStarted: [
    {
      reason: 'attempt-again',
      sentence: 'Attempt {attempt} at the backup began, after the one before it failed or was lost.',
      holds: ({ attempt }) => attempt > 1,
    },
    { reason: 'attempt', sentence: 'Attempt {attempt} at the backup began in {region}.' },
  ],
  BackupAttemptFailed: [
    {
      reason: 'waits',
      sentence:
        'The backup waits, because attempt {attempt} failed ({code}). It is tried again at {retryAt}, and until {retryUntil}. {reason}',
    },
  ],
  BackupDelayed: [
    {
      reason: 'late-clock-was-wrong',
      sentence: `${late}, because a clock was wrong. {reason}`,
      holds: ({ ground }) => ground === 'clock-was-wrong',
    },
    {
      reason: 'late-no-scheduler',
      sentence: `${late}, because no scheduler looked for slots. {reason}`,
      holds: ({ ground }) => ground === 'no-scheduler',
    },
    {
      reason: 'late-decided-late',
      sentence: `${late}, because its slot was decided late. {reason}`,
      holds: ({ ground }) => ground === 'decided-late',
    },
    {
      reason: 'late-home-away',
      sentence: `${late}, because the home region could not be reached. {reason}`,
      holds: ({ ground }) => ground === 'home-away',
    },
    {
      reason: 'late-attempt-lost',
      sentence: `${late}, because an attempt was lost. {reason}`,
      holds: ({ ground }) => ground === 'attempt-lost',
    },
    {
      reason: 'late-no-runner-free',
      sentence: `${late}, because no scheduler was free for it. {reason}`,
      holds: ({ ground }) => ground === 'no-runner-free',
    },
    { reason: 'late', sentence: `${late}. {reason}` },
  ],
  BackupMadeFull: [
    {
      reason: 'full-nothing-to-build-on',
      sentence: `${full}, because the instance had no completed backup to build on. {reason}`,
      holds: ({ ground }) => ground === 'nothing-to-build-on',
    },
    {
      reason: 'full-parent-not-there',
      sentence: `${full}, because the backup that it was to be built on was not there. {reason}`,
      holds: ({ ground }) => ground === 'parent-not-there',
    },
    {
      reason: 'full-parent-unreadable',
      sentence: `${full}, because the backup that it was to be built on could not be read. {reason}`,
      holds: ({ ground }) => ground === 'parent-unreadable',
    },
    {
      reason: 'full-another-server',
      sentence: `${full}, because another server was behind the address. {reason}`,
      holds: ({ ground }) => ground === 'another-server',
    },
    { reason: 'full-incremental-not-possible', sentence: `${full}, because no incremental was possible. {reason}` },
  ],
  BackupIdentified: [{ reason: 'identified', sentence: 'The backup is a state of the server of lineage {lineage}.' }],
  BackupVersionFound: [{ reason: 'backup-version-found', sentence: 'The backup was taken of {datastore}.' }],
  BackupEncrypted: [
    { reason: 'encrypted', sentence: 'The backup is encrypted. It is opened by the key of {encryptedFor}.' },
  ],
  AnotherServerFound: [
    {
      reason: 'another-server-found',
      sentence:
        'The backup is of another server than backup {formerBackupId}, and replaces none of its backups. {reason}',
    },
  ],
  BackupCompleted: [
    {
      reason: 'completed-incremental',
      sentence:
        'The backup completed, built on backup {parentId}: {sizeBytes} bytes were read back in {region}, and are right.',
      holds: ({ type }) => type === 'incremental',
    },
    {
      reason: 'completed-full',
      sentence: 'The backup completed, as a full one: {sizeBytes} bytes were read back in {region}, and are right.',
    },
  ],
  BackupFailed: [{ reason: 'failed', sentence: 'The backup failed, and is not tried again ({code}). {reason}' }],
  BackupCatalogued: [
    {
      reason: 'catalogued-encrypted',
      sentence:
        'The backup of {completedAt} was found in the vault of {region}, and the ledger did not know it: {sizeBytes} bytes, as its manifest says. It is encrypted, and is opened by the key of {encryptedFor}.',
      holds: ({ encryptedFor }) => encryptedFor !== null && encryptedFor.length > 0,
    },
    {
      reason: 'catalogued',
      sentence:
        'The backup of {completedAt} was found in the vault of {region}, and the ledger did not know it: {sizeBytes} bytes, as its manifest says.',
    },
  ],
  RestoreTested: [
    {
      reason: 'restore-tested-files',
      sentence:
        '{actor} restored the backup from {region} for a test: in {seconds} s every file was compared with the manifest. No server was started.',
      holds: ({ proof }) => proof === 'files-compared',
    },
    {
      reason: 'restore-tested',
      sentence:
        '{actor} restored the backup from {region} for a test: in {seconds} s a server started on it, and every table was read.',
    },
  ],
  RestoreTestFailed: [
    {
      reason: 'restore-test-failed',
      sentence:
        '{actor} tried to restore the backup from {region} for a test, and that failed after {seconds} s ({code}). {reason}',
    },
  ],
  BackupDeletionMarked: [
    {
      reason: 'deleted-by-retention',
      sentence: `Retention deleted the backup, because enough newer ones are kept. ${untilThen}`,
      holds: ({ trigger, rootId, backupId }) => trigger === 'retention' && rootId === backupId,
    },
    {
      reason: 'deleted-with-parent-by-retention',
      sentence: `Retention deleted backup {rootId}, and this one with it, because it is built on that one. ${untilThen}`,
      holds: ({ trigger }) => trigger === 'retention',
    },
    {
      reason: 'deleted-by-somebody',
      sentence: `{actor} deleted the backup. ${untilThen}`,
      holds: ({ rootId, backupId }) => rootId === backupId,
    },
    {
      reason: 'deleted-with-parent',
      sentence: `{actor} deleted backup {rootId}, and this one with it, because it is built on that one. ${untilThen}`,
    },
  ],
  BackupDeletionReverted: [
    { reason: 'brought-back', sentence: '{actor} brought the backup back: it is there as it was before.' },
  ],
  BackupDeletionApproved: [
    { reason: 'deletion-approved', sentence: '{actor} agreed, as a second person, that the bytes of the backup go.' },
  ],
  BackupHeld: [
    {
      reason: 'held',
      sentence: "{actor} put the backup on hold: nobody can delete it, and retention can't either. {reason}",
    },
  ],
  BackupHoldLifted: [{ reason: 'hold-lifted', sentence: '{actor} lifted the hold on the backup.' }],
  BackupDeletionRequested: [
    {
      reason: 'removed-by-retention',
      sentence: `${goesOn}, because retention let it go.`,
      holds: ({ trigger }) => trigger === 'retention',
    },
    {
      reason: 'removed-with-parent',
      sentence: `${goesOn}, because those of the backup that it is built on are.`,
      holds: ({ trigger }) => trigger === 'cascade',
    },
    { reason: 'removed-by-somebody', sentence: `${goesOn}, because somebody deleted it.` },
  ],
  BackupDeleted: [{ reason: 'gone', sentence: 'The backup is gone: no vault holds anything of it any more.' }],
  BackupDeletionFailed: [
    {
      reason: 'removal-failed',
      sentence: 'Something of the backup could not be removed, and what is left may be damaged ({code}). {reason}',
    },
  ],
  BackupDeletionPutOff: [
    {
      reason: 'kept-copies-missing',
      sentence: `${kept}, because newer backups are not in every region that is owed a copy. {reason}`,
      holds: ({ ground }) => ground === 'copies-missing',
    },
    {
      reason: 'kept-built-on',
      sentence: `${kept}, because backups that are kept are built on it. {reason}`,
      holds: ({ ground }) => ground === 'built-on',
    },
    {
      reason: 'kept-while-running',
      sentence: `${kept}, because a backup that is built on it has not ended. {reason}`,
      holds: ({ ground }) => ground === 'backup-still-running',
    },
    {
      reason: 'kept-on-hold',
      sentence: `${kept}, because of a hold. {reason}`,
      holds: ({ ground }) => ground === 'on-hold',
    },
    {
      reason: 'kept-schedule-changed',
      sentence: `${kept}, because the schedule was changed lately. {reason}`,
      holds: ({ ground }) => ground === 'schedule-changed',
    },
    {
      reason: 'kept-until-next',
      sentence: `${kept}, until retention looks again. {reason}`,
      holds: ({ ground }) => ground === 'next-completion',
    },
    { reason: 'kept', sentence: `${kept}. {reason}` },
  ],
  BackupDeletionCalledOff: [
    { reason: 'stays', sentence: 'The backup stays after all: retention does not want it gone any more.' },
  ],
};
