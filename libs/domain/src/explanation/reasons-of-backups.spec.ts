import { describe, expect, it } from '@jest/globals';
import { aggregateOfEvent, type EventData, type EventType } from '@strongroom/contracts';
import { explained } from '../../fixtures/explained.js';
import { whyOverQuota, whyPaused, whyTaken } from '../skipped-slots.js';
import { everyReason } from './explained-event.js';

const backupId = '11111111-1111-4111-8111-111111111111';
const rootId = '22222222-2222-4222-8222-222222222222';
const instanceId = '33333333-3333-4333-8333-333333333333';
const scheduleId = '44444444-4444-4444-8444-444444444444';
const [slotAt, retryAt] = ['2026-11-14T14:30:00.000Z', '2026-11-14T14:31:00.000Z'];
const ids = { backupId, instanceId, scheduleId };
const datastore = { type: 'postgresql', version: '18.1' } as const;
const why = 'The server says why.';
const fault = { code: 'server-unreachable', reason: 'no answer' };

/** By type, data of which each case says what is another. */
const usual: { [T in EventType]?: EventData<T> } = {
  SlotSkipped: { scheduleId, instanceId, slotAt, reason: why },
  SlotMissed: { scheduleId, instanceId, slotAt, reason: why },
  BackupRequested: {
    ...{ ...ids, slotAt, trigger: 'slot', type: 'full', parentId: null },
    ...{ name: 'orders', description: null, datastore, copyTo: ['IAD'] },
  },
  BackupStarted: { backupId, attempt: 1, region: 'DFW', runner: 'scheduler-1' },
  BackupAttemptFailed: { ...ids, ...fault, attempt: 1, retryAt, retryUntil: '2026-11-14T15:30:00.000Z' },
  BackupDelayed: { ...ids, ground: 'other', reason: why, delayMs: 180_000 },
  BackupMadeFull: { ...ids, plannedParentId: rootId, ground: 'timeline-changed', reason: why },
  BackupIdentified: { ...ids, lineage: rootId, facts: null },
  BackupVersionFound: { ...ids, datastore },
  BackupEncrypted: { ...ids, encryptedFor: ['anna', 'bob'] },
  AnotherServerFound: { ...ids, lineage: backupId, formerLineage: rootId, formerBackupId: rootId, reason: why },
  BackupCompleted: {
    ...{ ...ids, type: 'full', parentId: null, attempt: 1, region: 'DFW', location: 'x', sizeBytes: 5, rawBytes: 9 },
    ...{ sha256: 'a'.repeat(64), copyTo: ['IAD'], startedAt: slotAt },
  },
  BackupFailed: { ...ids, ...fault, attempt: 1 },
  BackupCatalogued: {
    ...{ ...ids, scheduleId: null, instanceName: 'orders', type: 'full', parentId: null, name: 'orders', datastore },
    ...{ region: 'DFW', location: 'x', attempt: 1, sizeBytes: 5, rawBytes: 9, sha256: 'a'.repeat(64) },
    ...{ startedAt: slotAt, completedAt: retryAt, encryptedFor: null, facts: null },
  },
  RestoreTested: { ...ids, region: 'IAD', seconds: 240, proof: 'tables-read' },
  RestoreTestFailed: { ...ids, ...fault, region: 'IAD', seconds: 12 },
  BackupDeletionMarked: { ...ids, trigger: 'request', rootId: backupId, purgeAt: retryAt },
  BackupDeletionReverted: { ...ids, rootId: backupId },
  BackupDeletionApproved: { ...ids, rootId: backupId },
  BackupHeld: { ...ids, reason: 'The auditors want it.' },
  BackupHoldLifted: ids,
  BackupDeletionRequested: { ...ids, trigger: 'request' },
  BackupDeleted: ids,
  BackupDeletionFailed: { backupId, instanceId, ...fault },
  BackupDeletionPutOff: { ...ids, ground: 'other', reason: why, waitsFor: [] },
  BackupDeletionCalledOff: ids,
};
const busy = `Backup ${rootId} of the instance was still running.`;
const overQuota = whyOverQuota({ bytes: 10_737_418_240, mostGib: 10 });
const untilThen =
  'Its bytes stay until 2026-11-14T14:31:00Z at least, and it can be brought back as long as they are there.';
const noneMade = 'No backup was made for the slot of 2026-11-14T14:30:00Z';
const kept = 'The backup has had its time, and is kept for now';

const cases: [reason: string, type: EventType, changes: object, sentence: string][] = [
  ['skipped-paused', 'SlotSkipped', { reason: whyPaused }, `${noneMade}, because the schedule was paused.`],
  [
    'skipped-busy',
    'SlotSkipped',
    { reason: busy },
    `${noneMade}, because another backup of the instance had not ended. ${busy}`,
  ],
  [
    'skipped-taken',
    'SlotSkipped',
    { reason: whyTaken },
    `${noneMade}, because another backup of the instance was asked for at the same time.`,
  ],
  [
    'skipped-over-quota',
    'SlotSkipped',
    { reason: overQuota },
    `${noneMade}, because the account stores as much as it may. ${overQuota}`,
  ],
  ['skipped', 'SlotSkipped', {}, `${noneMade}: it was skipped. ${why}`],
  ['missed', 'SlotMissed', {}, `${noneMade}: it was missed, and is not made up for. ${why}`],
  [
    'ran-slot-full',
    'BackupRequested',
    {},
    'The slot of 2026-11-14T14:30:00Z asked for the backup. The schedule plans a full one for that day.',
  ],
  [
    'ran-slot-incremental',
    'BackupRequested',
    { type: 'incremental' },
    'The slot of 2026-11-14T14:30:00Z asked for the backup. The schedule plans an incremental for that day.',
  ],
  [
    'ran-now',
    'BackupRequested',
    { trigger: 'run-now', slotAt: null },
    'anna asked for the backup by run_now. Such a run is full.',
  ],
  [
    'ran-asked-incremental',
    'BackupRequested',
    { trigger: 'request', slotAt: null, type: 'incremental' },
    'anna asked for the backup, and for an incremental.',
  ],
  [
    'ran-asked-full',
    'BackupRequested',
    { trigger: 'request', slotAt: null },
    'anna asked for the backup, and for a full one.',
  ],
  ['attempt', 'BackupStarted', {}, 'Attempt 1 at the backup began in DFW.'],
  [
    'attempt-again',
    'BackupStarted',
    { attempt: 2 },
    'Attempt 2 at the backup began, after the one before it failed or was lost.',
  ],
  [
    'waits',
    'BackupAttemptFailed',
    {},
    'The backup waits, because attempt 1 failed (server-unreachable). It is tried again at 2026-11-14T14:31:00Z, and until 2026-11-14T15:30:00Z. No answer.',
  ],
  [
    'late-clock-was-wrong',
    'BackupDelayed',
    { ground: 'clock-was-wrong' },
    `The backup was begun 3 min late, because a clock was wrong. ${why}`,
  ],
  [
    'late-no-scheduler',
    'BackupDelayed',
    { ground: 'no-scheduler', delayMs: 7_500_000 },
    `The backup was begun 2 h 5 min late, because no scheduler looked for slots. ${why}`,
  ],
  [
    'late-decided-late',
    'BackupDelayed',
    { ground: 'decided-late' },
    `The backup was begun 3 min late, because its slot was decided late. ${why}`,
  ],
  [
    'late-home-away',
    'BackupDelayed',
    { ground: 'home-away', delayMs: 9_000 },
    `The backup was begun 9 s late, because the home region could not be reached. ${why}`,
  ],
  [
    'late-attempt-lost',
    'BackupDelayed',
    { ground: 'attempt-lost' },
    `The backup was begun 3 min late, because an attempt was lost. ${why}`,
  ],
  [
    'late-no-runner-free',
    'BackupDelayed',
    { ground: 'no-runner-free' },
    `The backup was begun 3 min late, because no scheduler was free for it. ${why}`,
  ],
  ['late', 'BackupDelayed', {}, `The backup was begun 3 min late. ${why}`],
  [
    'full-nothing-to-build-on',
    'BackupMadeFull',
    { ground: 'nothing-to-build-on' },
    `The backup was made full, because the instance had no completed backup to build on. ${why}`,
  ],
  [
    'full-parent-not-there',
    'BackupMadeFull',
    { ground: 'parent-not-there' },
    `The backup was made full, because the backup that it was to be built on was not there. ${why}`,
  ],
  [
    'full-parent-unreadable',
    'BackupMadeFull',
    { ground: 'parent-unreadable' },
    `The backup was made full, because the backup that it was to be built on could not be read. ${why}`,
  ],
  [
    'full-another-server',
    'BackupMadeFull',
    { ground: 'another-server' },
    `The backup was made full, because another server was behind the address. ${why}`,
  ],
  [
    'full-incremental-not-possible',
    'BackupMadeFull',
    {},
    `The backup was made full, because no incremental was possible. ${why}`,
  ],
  ['identified', 'BackupIdentified', {}, `The backup is a state of the server of lineage ${rootId}.`],
  ['backup-version-found', 'BackupVersionFound', {}, 'The backup was taken of postgresql 18.1.'],
  ['encrypted', 'BackupEncrypted', {}, 'The backup is encrypted. It is opened by the key of anna and bob.'],
  [
    'another-server-found',
    'AnotherServerFound',
    {},
    `The backup is of another server than backup ${rootId}, and replaces none of its backups. ${why}`,
  ],
  [
    'completed-full',
    'BackupCompleted',
    {},
    'The backup completed, as a full one: 5 bytes were read back in DFW, and are right.',
  ],
  [
    'completed-incremental',
    'BackupCompleted',
    { type: 'incremental', parentId: rootId },
    `The backup completed, built on backup ${rootId}: 5 bytes were read back in DFW, and are right.`,
  ],
  ['failed', 'BackupFailed', {}, 'The backup failed, and is not tried again (server-unreachable). No answer.'],
  [
    'deleted-by-retention',
    'BackupDeletionMarked',
    { trigger: 'retention' },
    `Retention deleted the backup, because enough newer ones are kept. ${untilThen}`,
  ],
  [
    'deleted-with-parent-by-retention',
    'BackupDeletionMarked',
    { trigger: 'retention', rootId },
    `Retention deleted backup ${rootId}, and this one with it, because it is built on that one. ${untilThen}`,
  ],
  ['deleted-by-somebody', 'BackupDeletionMarked', {}, `anna deleted the backup. ${untilThen}`],
  [
    'deleted-with-parent',
    'BackupDeletionMarked',
    { rootId },
    `anna deleted backup ${rootId}, and this one with it, because it is built on that one. ${untilThen}`,
  ],
  ['brought-back', 'BackupDeletionReverted', {}, 'anna brought the backup back: it is there as it was before.'],
  [
    'deletion-approved',
    'BackupDeletionApproved',
    {},
    'anna agreed, as a second person, that the bytes of the backup go.',
  ],
  [
    'held',
    'BackupHeld',
    {},
    "anna put the backup on hold: nobody can delete it, and retention can't either. The auditors want it.",
  ],
  [
    'catalogued-encrypted',
    'BackupCatalogued',
    { encryptedFor: ['anna', 'bob'] },
    'The backup of 2026-11-14T14:31:00Z was found in the vault of DFW, and the ledger did not know it: 5 bytes, as its manifest says. It is encrypted, and is opened by the key of anna and bob.',
  ],
  [
    'catalogued',
    'BackupCatalogued',
    {},
    'The backup of 2026-11-14T14:31:00Z was found in the vault of DFW, and the ledger did not know it: 5 bytes, as its manifest says.',
  ],
  [
    'restore-tested-files',
    'RestoreTested',
    { proof: 'files-compared' },
    'anna restored the backup from IAD for a test: in 240 s every file was compared with the manifest. No server was started.',
  ],
  [
    'restore-tested',
    'RestoreTested',
    {},
    'anna restored the backup from IAD for a test: in 240 s a server started on it, and every table was read.',
  ],
  [
    'restore-test-failed',
    'RestoreTestFailed',
    {},
    'anna tried to restore the backup from IAD for a test, and that failed after 12 s (server-unreachable). No answer.',
  ],
  ['hold-lifted', 'BackupHoldLifted', {}, 'anna lifted the hold on the backup.'],
  [
    'removed-by-retention',
    'BackupDeletionRequested',
    { trigger: 'retention' },
    'The bytes of the backup are to be removed from every vault, because retention let it go.',
  ],
  [
    'removed-with-parent',
    'BackupDeletionRequested',
    { trigger: 'cascade' },
    'The bytes of the backup are to be removed from every vault, because those of the backup that it is built on are.',
  ],
  [
    'removed-by-somebody',
    'BackupDeletionRequested',
    {},
    'The bytes of the backup are to be removed from every vault, because somebody deleted it.',
  ],
  ['gone', 'BackupDeleted', {}, 'The backup is gone: no vault holds anything of it any more.'],
  [
    'removal-failed',
    'BackupDeletionFailed',
    {},
    'Something of the backup could not be removed, and what is left may be damaged (server-unreachable). No answer.',
  ],
  [
    'kept-copies-missing',
    'BackupDeletionPutOff',
    { ground: 'copies-missing' },
    `${kept}, because newer backups are not in every region that is owed a copy. ${why}`,
  ],
  [
    'kept-built-on',
    'BackupDeletionPutOff',
    { ground: 'built-on' },
    `${kept}, because backups that are kept are built on it. ${why}`,
  ],
  [
    'kept-while-running',
    'BackupDeletionPutOff',
    { ground: 'backup-still-running' },
    `${kept}, because a backup that is built on it has not ended. ${why}`,
  ],
  ['kept-on-hold', 'BackupDeletionPutOff', { ground: 'on-hold' }, `${kept}, because of a hold. ${why}`],
  [
    'kept-schedule-changed',
    'BackupDeletionPutOff',
    { ground: 'schedule-changed' },
    `${kept}, because the schedule was changed lately. ${why}`,
  ],
  [
    'kept-until-next',
    'BackupDeletionPutOff',
    { ground: 'next-completion' },
    `${kept}, until retention looks again. ${why}`,
  ],
  ['kept', 'BackupDeletionPutOff', {}, `${kept}. ${why}`],
  ['stays', 'BackupDeletionCalledOff', {}, 'The backup stays after all: retention does not want it gone any more.'],
];

describe('what is told of a backup', () => {
  it.each(cases)('is told as %s by %s', (reason, type, changes, sentence) => {
    expect(explained(type, { ...usual[type], ...changes })).toMatchObject({ reason, sentence });
  });

  it('has the ground of its event beside it, or the code', () => {
    expect(explained('BackupMadeFull', usual.BackupMadeFull ?? {}).ground).toBe('timeline-changed');
    expect(explained('BackupFailed', usual.BackupFailed ?? {}).ground).toBe('server-unreachable');
    expect(explained('BackupDeleted', ids).ground).toBeNull();
  });

  it('has a case here for each reason', () => {
    const ofBackups = everyReason().filter(({ type }) => aggregateOfEvent[type] === 'backup');
    expect(cases.map(([reason]) => reason).sort()).toEqual(ofBackups.map(({ reason }) => reason).sort());
  });
});
