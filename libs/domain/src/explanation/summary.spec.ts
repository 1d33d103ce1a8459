import { describe, expect, it } from '@jest/globals';
import { aggregateOf, type EventData, type NewEvent, type RecordedEvent, streamOf } from '@strongroom/contracts';
import { recorded } from '../given.js';
import { copyId } from '../identities.js';
import { type Explained, summaryOf } from './summary.js';

const backupId = '11111111-1111-4111-8111-111111111111';
const instanceId = '33333333-3333-4333-8333-333333333333';
const scheduleId = '44444444-4444-4444-8444-444444444444';
const ids = { backupId, instanceId, scheduleId };
const datastore = { type: 'postgresql', version: '18.1' } as const;
/** A Sunday. */
const slotAt = '2026-11-15T14:30:00.000Z';
const asOf = new Date('2026-11-16T00:00:00.000Z');
const definition = {
  ...{ scheduleId, instanceId, dayOfWeek: 0, hour: 14, minute: 30, fullBackupRetention: 2 },
  ...{ copyTo: ['IAD', 'ORD'], paused: false },
};
const request: EventData<'BackupRequested'> = {
  ...{ ...ids, slotAt, trigger: 'slot', type: 'full', parentId: null, name: 'orders', description: null },
  ...{ datastore, copyTo: ['IAD', 'ORD'] },
};
const requested: NewEvent = { type: 'BackupRequested', data: request };
const completed: NewEvent = {
  type: 'BackupCompleted',
  data: {
    ...{ ...ids, type: 'full', parentId: null, attempt: 1, region: 'DFW', location: 'x', sizeBytes: 5, rawBytes: 9 },
    ...{ sha256: 'a'.repeat(64), copyTo: ['IAD', 'ORD'], startedAt: slotAt },
  },
};
const created: NewEvent = { type: 'ScheduleCreated', data: definition };
const deleted: NewEvent = { type: 'ScheduleDeleted', data: { scheduleId, instanceId } };
const ofCopy = (region: string) => ({ copyId: copyId(backupId, region), backupId, region });
const copied = (region: string): RecordedEvent[] =>
  recorded(
    [
      {
        type: 'CopyCompleted',
        data: {
          ...{ ...ofCopy(region), instanceId, attempt: 1, location: 'x', sizeBytes: 5, sha256: 'a'.repeat(64) },
          startedAt: slotAt,
        },
      },
    ],
    streamOf('copy', copyId(backupId, region)),
  );
const waiting = (region: string): RecordedEvent[] =>
  recorded(
    [
      {
        type: 'CopyAttemptFailed',
        data: { ...ofCopy(region), attempt: 1, code: 'vault-unreachable', reason: 'no answer', retryAt: slotAt },
      },
    ],
    streamOf('copy', copyId(backupId, region)),
  );

/** What is told of a backup with these events, of its copies and of its schedule. */
function told(
  events: NewEvent[],
  { copies = [], schedule = [created] }: { copies?: RecordedEvent[]; schedule?: NewEvent[] } = {},
) {
  return summaryOf({ kind: 'backup', own: recorded(events), copies, schedule: recorded(schedule) }, asOf);
}
function of(kind: Explained['kind'], events: NewEvent[]) {
  return summaryOf({ kind, own: recorded(events) }, asOf);
}
const asked = 'The slot of 2026-11-15T14:30:00Z asked for the backup. The schedule plans a full one for that day.';
const done = 'The backup completed, as a full one: 5 bytes were read back in DFW, and are right.';
const inBoth = { copies: [...copied('ORD'), ...copied('IAD')] };

describe('the answer in short about a backup', () => {
  it('says why it ran and what it waits for', () => {
    expect(told([requested])).toBe(`${asked} It has not begun yet.`);
    const late: NewEvent = {
      type: 'BackupDelayed',
      data: { ...ids, ground: 'no-runner-free', reason: 'All were busy.', delayMs: 120_000 },
    };
    const failed: NewEvent = {
      type: 'BackupAttemptFailed',
      data: { ...ids, attempt: 1, code: 'x', reason: 'no answer', retryAt: slotAt, retryUntil: slotAt },
    };
    expect(told([requested, late, failed])).toBe(
      `${asked} The backup was begun 2 min late, because no scheduler was free for it. All were busy. The backup waits, because attempt 1 failed (x). It is tried again at 2026-11-15T14:30:00Z, and until 2026-11-15T14:30:00Z. No answer.`,
    );
  });

  it('says why it is full, unless it became an incremental after all', () => {
    const full: NewEvent = {
      type: 'BackupMadeFull',
      data: { ...ids, plannedParentId: null, ground: 'other', reason: 'The server says why.' },
    };
    const why = 'The backup was made full, because no incremental was possible. The server says why.';
    expect(told([requested, full, completed])).toContain(why);
    const incremental: NewEvent = {
      ...completed,
      type: 'BackupCompleted',
      data: { ...(completed.data as EventData<'BackupCompleted'>), type: 'incremental', parentId: scheduleId },
    };
    expect(told([requested, full, incremental])).not.toContain('made full');
  });

  it('says where it is, what hinders the other copies, and when retention deletes it at the earliest', () => {
    const rule =
      'Retention deletes it when 2 newer cycles are complete and in every region that is owed a copy, which is after the slot of 2026-11-29T14:30:00Z at the earliest.';
    expect(told([requested, completed], inBoth)).toBe(`${asked} ${done} A copy of it is in IAD and ORD. ${rule}`);
    expect(told([requested, completed], { copies: [...copied('IAD'), ...waiting('ORD')] })).toBe(
      `${asked} ${done} A copy of it is in IAD. The copy to ORD waits, because attempt 1 failed (vault-unreachable). It is tried again at 2026-11-15T14:30:00Z. No answer. ${rule}`,
    );
    expect(told([requested, completed])).toContain('A copy to IAD and ORD is owed, and is not asked for yet.');
  });

  it('says that it was found in a vault, where its copies are, and that retention leaves it', () => {
    const found: NewEvent = {
      type: 'BackupCatalogued',
      data: {
        ...{
          ...ids,
          scheduleId: null,
          instanceName: 'orders',
          type: 'full',
          parentId: null,
          name: 'orders',
          datastore,
        },
        ...{ region: 'DFW', location: 'x', attempt: 1, sizeBytes: 5, rawBytes: 9, sha256: 'a'.repeat(64) },
        ...{ startedAt: slotAt, completedAt: slotAt, encryptedFor: null, facts: null },
      },
    };
    const copy: NewEvent = {
      type: 'CopyCatalogued',
      data: {
        ...{ ...ofCopy('IAD'), instanceId, sourceRegion: 'DFW', parentId: null, attempt: 1, location: 'x' },
        ...{ sizeBytes: 5, sha256: 'a'.repeat(64), startedAt: slotAt, completedAt: slotAt },
      },
    };
    const copies = recorded([copy], streamOf('copy', copyId(backupId, 'IAD')));
    expect(told([found], { copies, schedule: [] })).toBe(
      'The backup of 2026-11-15T14:30:00Z was found in the vault of DFW, and the ledger did not know it: 5 bytes, as its manifest says. A copy of it is in IAD. Retention does not delete it, because it was found in a vault: it stays until somebody deletes it.',
    );
  });

  it('names no slot for its deletion that has passed already', () => {
    const late = new Date('2027-01-01T00:00:00.000Z');
    const own = recorded([requested, completed]);
    expect(summaryOf({ kind: 'backup', own, schedule: recorded([created]) }, late)).toMatch(
      /Retention deletes it when 2 newer cycles are complete and in every region that is owed a copy\.$/,
    );
  });

  it('says that retention does not delete it where nobody but somebody does', () => {
    const stays = (why: string) => `Retention does not delete it, because ${why}: it stays until somebody deletes it.`;
    const byHand: NewEvent = {
      type: 'BackupRequested',
      data: { ...request, scheduleId: null, slotAt: null, trigger: 'request' },
    };
    expect(told([byHand, completed])).toContain(stays('somebody asked for it'));
    expect(told([requested, completed], { schedule: [created, deleted] })).toContain(stays('its schedule is deleted'));
    const marked: NewEvent = {
      type: 'BackupDeletionMarked',
      data: { ...ids, trigger: 'retention', rootId: backupId, purgeAt: slotAt },
    };
    const reverted: NewEvent = { type: 'BackupDeletionReverted', data: { ...ids, rootId: backupId } };
    expect(told([requested, completed, marked, reverted])).toContain(stays('somebody brought it back'));
  });

  it('says by whom it was deleted, and that a hold or retention keeps it', () => {
    const marked: NewEvent = {
      type: 'BackupDeletionMarked',
      data: { ...ids, trigger: 'request', rootId: backupId, purgeAt: slotAt },
    };
    expect(told([requested, completed, marked])).toMatch(/spec deleted the backup\. Its bytes stay until .*there\.$/);
    const held: NewEvent = { type: 'BackupHeld', data: { ...ids, reason: 'The auditors want it.' } };
    expect(told([requested, completed, held])).toMatch(/on hold: .*The auditors want it\.$/);
    const lifted: NewEvent = { type: 'BackupHoldLifted', data: ids };
    expect(told([requested, completed, held, lifted])).toMatch(/at the earliest\.$/);
    const putOff: NewEvent = {
      type: 'BackupDeletionPutOff',
      data: { ...ids, ground: 'built-on', reason: 'It is kept.', waitsFor: [] },
    };
    expect(told([requested, completed, putOff])).toMatch(
      /kept for now, because backups that are kept are built on it\. It is kept\.$/,
    );
  });

  it('says of a slot without a backup why there is none', () => {
    const missed: NewEvent = { type: 'SlotMissed', data: { scheduleId, instanceId, slotAt, reason: 'Nobody looked.' } };
    expect(told([missed])).toBe(
      'No backup was made for the slot of 2026-11-15T14:30:00Z: it was missed, and is not made up for. Nobody looked.',
    );
  });
});

describe('the answer in short about', () => {
  it('a schedule says what it says, and when it runs next; or since when it is paused; or that it is deleted', () => {
    const says =
      'It runs every day at 14:30 UTC, full on Sunday. It keeps 2 cycles, and copies its backups to IAD and ORD.';
    expect(of('schedule', [created])).toBe(`The schedule runs next at 2026-11-16T14:30:00Z. ${says}`);
    const paused: NewEvent = { type: 'ScheduleUpdated', data: { ...definition, paused: true } };
    expect(of('schedule', [created, paused])).toBe(`The schedule has been paused since 2026-01-01T00:00:01Z. ${says}`);
    const because = recorded([created, paused], streamOf('schedule', scheduleId)).map((event) => ({
      ...event,
      context: { ...event.context, reason: 'the disks are being moved' },
    }));
    expect(summaryOf({ kind: 'schedule', own: because }, asOf)).toBe(
      `The schedule has been paused since 2026-01-01T00:00:01Z. The reason that was given: The disks are being moved. ${says}`,
    );
    expect(of('schedule', [created, deleted])).toMatch(/^spec deleted the schedule\./);
  });

  it('a paused schedule says when the pause began, and why, also when something else of it was changed meanwhile', () => {
    const paused: NewEvent = { type: 'ScheduleUpdated', data: { ...definition, paused: true } };
    const [made, first, second, third] = recorded([created, paused, paused, paused], streamOf('schedule', scheduleId));
    if (!made || !first || !second || !third) throw new Error('there are four');
    const saying = (event: RecordedEvent, reason: string) => ({ ...event, context: { ...event.context, reason } });
    const tell = (pause: RecordedEvent[]) => summaryOf({ kind: 'schedule', own: [made, third], pause }, asOf);
    const since = 'The schedule has been paused since 2026-01-01T00:00:01Z.';
    expect(tell([first])).toMatch(new RegExp(`^${since} It runs`));
    expect(tell([saying(first, 'the disks')])).toMatch(
      new RegExp(`^${since} The reason that was given: The disks\\. It`),
    );
    expect(tell([saying(second, 'the fans'), saying(first, 'the disks')])).toMatch(
      /paused since 2026-01-01T00:00:01Z.*The fans/,
    );
  });

  it('a copy tells how it stands, and not that it was looked at', () => {
    const stream = streamOf('copy', copyId(backupId, 'IAD'));
    const checked: NewEvent = { type: 'CopyChecked', data: ofCopy('IAD') };
    const own = [...copied('IAD'), ...recorded([checked], stream).map((event) => ({ ...event, position: 2 }))];
    expect(aggregateOf(stream)).toBe('copy');
    expect(summaryOf({ kind: 'copy', own }, asOf)).toMatch(/^The copy is in IAD: /);
  });

  it('an instance tells how its server stands, and where it is reached since it was changed', () => {
    const endpoint = { host: 'db.example.com', port: 5432, user: 'u', database: 'd', tls: 'require' } as const;
    const registered: NewEvent = {
      type: 'InstanceRegistered',
      data: { instanceId, name: 'orders', datastore, endpoint },
    };
    const changed: NewEvent = {
      type: 'InstanceChanged',
      data: {
        instanceId,
        name: 'bills',
        endpoint: { ...endpoint, caCertificate: null, clientCertificate: null },
        credentialId: null,
      },
    };
    const found: NewEvent = { type: 'InstanceVersionFound', data: { instanceId, datastore } };
    expect(of('instance', [registered, changed, found])).toBe(
      'spec registered the server orders, which is reached at db.example.com:5432. From then on the instance is called bills and is reached at db.example.com:5432, as spec asked.',
    );
  });
});
