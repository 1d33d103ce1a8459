import { describe, expect, it } from '@jest/globals';
import type { EventData, NewEvent } from '@strongroom/contracts';
import { backupDecider } from './backup.js';
import { account, given } from './given.js';

const backupId = '0e7a5d5c-6b6f-5d0a-9d3f-5f9a7f1a2b3c';
const instanceId = '44b277eb-39be-4921-be31-3d61b43651d7';
const scheduleId = '88b277eb-39be-4921-be31-3d61b43651d7';
const slotAt = '2026-11-23T14:30:00.000Z';
const request: EventData<'BackupRequested'> = {
  backupId,
  instanceId,
  scheduleId,
  slotAt,
  trigger: 'slot',
  type: 'full',
  parentId: null,
  name: 'orders',
  description: null,
  datastore: { type: 'postgresql', version: '18' },
  copyTo: ['IAD'],
};
const slot = { scheduleId, instanceId, slotAt, reason: 'The schedule was paused.' };
const result = {
  region: 'DFW',
  location: 'backups/3c',
  sizeBytes: 10,
  rawBytes: 20,
  sha256: 'a'.repeat(64),
  startedAt: slotAt,
};
const requested: NewEvent = { type: 'BackupRequested', data: request };
const started = (attempt: number): NewEvent => ({
  type: 'BackupStarted',
  data: { backupId, attempt, region: 'DFW', runner: 'runner' },
});
const completed: NewEvent = {
  type: 'BackupCompleted',
  data: { backupId, instanceId, scheduleId, type: 'full', parentId: null, copyTo: ['IAD'], attempt: 1, ...result },
};
const failed: NewEvent = {
  type: 'BackupFailed',
  data: { backupId, instanceId, scheduleId, attempt: 1, code: 'server-unreachable', reason: 'nothing answers' },
};
const requestIt = { type: 'RequestBackup' as const, request };
const start = (attempt: number) => ({
  type: 'StartBackup' as const,
  backupId,
  attempt,
  region: 'DFW',
  runner: 'runner',
});
const complete = (attempt: number) => ({ type: 'CompleteBackup' as const, backupId, attempt, result });
const fail = (attempt: number) => ({
  type: 'FailBackup' as const,
  backupId,
  attempt,
  code: 'server-unreachable',
  reason: 'nothing answers',
});

describe('a slot', () => {
  it('has one outcome: any second one is refused', () => {
    const outcomes = [requestIt, { type: 'SkipSlot' as const, slot }, { type: 'MissSlot' as const, slot }];
    for (const first of outcomes) {
      const { decision } = given(backupDecider).when(first);
      for (const second of outcomes) {
        expect(given(backupDecider, decision.events).when(second).gives).toBe('slot-already-decided');
      }
    }
  });
});

describe('a backup', () => {
  it('fails with as much of the reason as an event holds, however long the cause is', () => {
    const { events } = given(backupDecider, [...given(backupDecider).when(requestIt).decision.events]).when({
      ...fail(1),
      reason: 'x'.repeat(10_000),
    }).decision;
    expect(events[0]?.data).toMatchObject({ reason: 'x'.repeat(2_000) });
  });

  it('claims its instance while it runs, and gives the claim back when it has completed or failed', () => {
    const claim = [{ kind: 'running-backup-of-instance', key: instanceId }];
    expect(given(backupDecider).when(requestIt).decision.claims).toEqual(claim);
    expect(given(backupDecider, [requested, started(1)]).when(complete(1)).decision.releases).toEqual(claim);
    expect(given(backupDecider, [requested, started(1)]).when(fail(1)).decision.releases).toEqual(claim);
  });

  it('tells with its completion everything that a replicator needs', () => {
    expect(given(backupDecider, [requested, started(1)]).when(complete(1)).gives).toEqual([completed]);
  });

  it('may fail before its first attempt', () => {
    expect(given(backupDecider, [requested]).when(fail(1)).gives).toHaveLength(1);
  });

  it('is ended by its newest attempt only', () => {
    const overtaken = given(backupDecider, [requested, started(1), started(2)]);
    expect(overtaken.when(complete(1)).gives).toBe('attempt-superseded');
    expect(overtaken.when(fail(1)).gives).toBe('attempt-superseded');
    expect(overtaken.when(start(2)).gives).toBe('attempt-superseded');
    expect(overtaken.when(start(3)).gives).toEqual([started(3)]);
    expect(overtaken.when(complete(2)).gives).toHaveLength(1);
  });

  it('ends once', () => {
    for (const end of [completed, failed]) {
      const over = given(backupDecider, [requested, started(1), end]);
      for (const command of [start(2), complete(1), fail(1)])
        expect(over.when(command).gives).toBe('backup-already-ended');
    }
  });

  it('is not there when its slot was passed over', () => {
    const passed = given(backupDecider, [{ type: 'SlotSkipped', data: slot }]);
    for (const command of [start(1), complete(1), fail(1)]) expect(passed.when(command).gives).toBe('backup-unknown');
  });
});

describe('a backup that is to be built on another', () => {
  const parentId = '1e7a5d5c-6b6f-5d0a-9d3f-5f9a7f1a2b3c';
  const onParent = { ...request, type: 'incremental' as const, parentId };
  const ask = (parent: NewEvent[], of = instanceId) =>
    given(backupDecider).when({
      type: 'RequestBackup',
      request: { ...onParent, instanceId: of },
      parent: given(backupDecider, parent).state,
    }).gives;

  it('needs one of its instance that has completed', () => {
    expect(ask([requested, started(1), completed])).toMatchObject([{ type: 'BackupRequested' }]);
    expect(ask([])).toBe('backup-unknown');
    expect(ask([requested, started(1)])).toBe('backup-not-yet-completed');
    expect(ask([requested, started(1), failed])).toBe('backup-not-completed');
    expect(ask([requested, started(1), completed], scheduleId)).toBe('backup-not-completed');
    expect(ask([requested, started(1), completed, deletion('request')])).toBe('backup-unknown');
  });

  const planned: NewEvent = { type: 'BackupRequested', data: onParent };
  const why = { ground: 'parent-slot-gone', reason: 'Its slot is gone.' };
  const madeFull = (plannedParentId: string | null, told = why): NewEvent => ({
    type: 'BackupMadeFull',
    data: { backupId, instanceId, scheduleId, plannedParentId, ...told },
  });
  const full = { ...complete(1), result: { ...result, type: 'full' as const, parentId: null } };

  it('can become full, and says why once, as soon as that is decided', () => {
    const makeFull = (attempt: number) => ({ type: 'MakeFull' as const, backupId, attempt, ...why });
    expect(given(backupDecider, [planned, started(1)]).when(makeFull(1)).gives).toEqual([madeFull(parentId)]);
    const decided = given(backupDecider, [planned, started(1), madeFull(parentId)]);
    expect(decided.when(makeFull(1)).gives).toEqual([]);
    expect(decided.when(full).gives).toEqual([completed]);
    expect(given(backupDecider, [planned, started(1), started(2)]).when(makeFull(1)).gives).toBe('attempt-superseded');
    expect(given(backupDecider, [planned, started(1), failed]).when(makeFull(1)).gives).toBe('backup-already-ended');
    expect(given(backupDecider, []).when(makeFull(1)).gives).toBe('backup-unknown');
  });

  it('always says that a full backup was not planned, also when the attempt that knew why has died', () => {
    expect(given(backupDecider, [planned, started(1)]).when(full).gives).toMatchObject([
      { type: 'BackupMadeFull', data: { plannedParentId: parentId, ground: 'not-told' } },
      completed,
    ]);
  });

  it('says with the request that there was nothing to build on', () => {
    const asked = given(backupDecider).when({ type: 'RequestBackup', request, madeFull: why });
    expect(asked.gives).toEqual([requested, madeFull(null)]);
    expect(given(backupDecider, [requested, madeFull(null), started(1)]).when(full).gives).toEqual([completed]);
  });
});

describe('the identity of a backup', () => {
  const lineage = '5e7a5d5c-6b6f-5d0a-9d3f-5f9a7f1a2b3c';
  const identity = { lineage, facts: { systemId: '7' } };
  const another = { formerLineage: scheduleId, formerBackupId: instanceId, reason: 'x'.repeat(3_000) };
  const subject = { backupId, instanceId, scheduleId, lineage };
  const identified: NewEvent = { type: 'BackupIdentified', data: { ...subject, facts: identity.facts } };
  const found: NewEvent = {
    type: 'AnotherServerFound',
    data: { ...subject, ...another, reason: 'x'.repeat(2_000) },
  };
  const identify = { type: 'IdentifyBackup' as const, backupId, identity };

  it('is recorded with its completion, together with a change of the server', () => {
    const running = given(backupDecider, [requested, started(1)]);
    expect(running.when({ ...complete(1), identity }).gives).toEqual([identified, completed]);
    expect(running.when({ ...complete(1), identity: { ...identity, another } }).gives).toEqual([
      identified,
      found,
      completed,
    ]);
  });

  it('is recorded once, later, for a backup that completed before identities were recorded', () => {
    const old = [requested, started(1), completed];
    expect(given(backupDecider, old).when(identify).gives).toEqual([identified]);
    expect(given(backupDecider, old).when({ ...identify, identity: { ...identity, another } }).gives).toEqual([
      identified,
      found,
    ]);
    expect(given(backupDecider, [...old, identified]).when(identify).gives).toEqual([]);
    expect(given(backupDecider, [...old, deletion('request')]).when(identify).gives).toEqual([]);
    expect(given(backupDecider, [requested, started(1)]).when(identify).gives).toEqual([]);
    expect(given(backupDecider).when(identify).gives).toBe('backup-unknown');
  });
});

const deletion = (trigger: 'request' | 'cascade'): NewEvent => ({
  type: 'BackupDeletionRequested',
  data: { backupId, instanceId, scheduleId, trigger },
});

describe('the version of a backup', () => {
  const told = { type: 'postgresql' as const, version: '17.6' };
  const found: NewEvent = { type: 'BackupVersionFound', data: { backupId, instanceId, scheduleId, datastore: told } };
  const { when } = given(backupDecider, [requested, started(1)]);

  it('is the one that its server told, whatever was known before', () => {
    expect(when({ ...complete(1), datastore: told }).gives).toEqual([found, completed]);
    const { state } = given(backupDecider, [requested, started(1), found, completed]);
    expect(state).toMatchObject({ is: 'completed', request: { datastore: told } });
  });

  it('is in what tells the server apart, where its engine tells it there', () => {
    const identity = { lineage: backupId, facts: { serverVersion: '17.6' } };
    const { gives } = when({ ...complete(1), datastore: told, identity });
    expect(gives).toMatchObject([{ type: 'BackupIdentified' }, { type: 'BackupCompleted' }]);
    const { state } = given(backupDecider, [requested, started(1), ...(gives as NewEvent[])]);
    expect(state).toMatchObject({ is: 'completed', request: { datastore: told } });
  });

  it('is not told twice', () => {
    expect(when({ ...complete(1), datastore: request.datastore }).gives).toEqual([completed]);
    expect(when(complete(1)).gives).toEqual([completed]);
  });
});

describe('the deletion of a backup', () => {
  const ended = [requested, started(1), completed];
  const remove = { type: 'RequestDeletion' as const, backupId, accountId: account, trigger: 'request' as const };
  const confirm = { type: 'ConfirmDeletion' as const, backupId };
  const giveUp = { type: 'FailDeletion' as const, backupId, code: 'vault-unavailable', reason: 'away' };
  const deleted: NewEvent = { type: 'BackupDeleted', data: { backupId, instanceId, scheduleId } };
  const notDeleted: NewEvent = {
    type: 'BackupDeletionFailed',
    data: { backupId, instanceId, code: 'vault-unavailable', reason: 'away' },
  };

  it('is of one that has ended, of its account', () => {
    expect(given(backupDecider, ended).when(remove).gives).toEqual([deletion('request')]);
    expect(given(backupDecider, [requested, failed]).when(remove).gives).toEqual([deletion('request')]);
    expect(given(backupDecider, [requested]).when(remove).gives).toBe('backup-still-running');
    expect(given(backupDecider, [requested, started(1)]).when(remove).gives).toBe('backup-still-running');
    expect(given(backupDecider, ended).when({ ...remove, accountId: 'other' }).gives).toBe('backup-unknown');
    expect(given(backupDecider).when(remove).gives).toBe('backup-unknown');
  });

  it('is asked for once while it goes on, and again when it failed', () => {
    const asked = [...ended, deletion('request')];
    expect(given(backupDecider, asked).when(remove).gives).toEqual([]);
    expect(given(backupDecider, asked).when(giveUp).gives).toEqual([notDeleted]);
    expect(given(backupDecider, [...asked, notDeleted]).when(remove).gives).toEqual([deletion('request')]);
  });

  it('with its parent is done when it was deleted already', () => {
    const gone = given(backupDecider, [...ended, deletion('request'), deleted]);
    expect(gone.when({ ...remove, trigger: 'cascade' }).gives).toEqual([]);
    expect(gone.when({ ...remove, trigger: 'cascade', accountId: 'other' }).gives).toBe('backup-unknown');
  });

  it('ends once, and only when it was asked for', () => {
    expect(given(backupDecider, ended).when(confirm).gives).toEqual([]);
    const asked = [...ended, deletion('request')];
    expect(given(backupDecider, asked).when(confirm).gives).toEqual([deleted]);
    for (const command of [confirm, giveUp]) {
      expect(given(backupDecider, [...asked, deleted]).when(command).gives).toEqual([]);
    }
    expect(given(backupDecider, [...asked, deleted]).when(remove).gives).toBe('backup-unknown');
  });
});

describe('a backup whose attempt fails in a way that passes', () => {
  const next = { retryAt: '2026-11-23T14:30:05.000Z', retryUntil: '2026-11-23T15:30:00.000Z' };
  const failAttempt = (attempt: number, reason = 'nothing answers') => ({
    type: 'FailBackupAttempt' as const,
    backupId,
    attempt,
    code: 'server-unreachable',
    reason,
    ...next,
  });
  const attemptFailed: NewEvent = {
    type: 'BackupAttemptFailed',
    data: {
      backupId,
      instanceId,
      scheduleId,
      attempt: 1,
      code: 'server-unreachable',
      reason: 'nothing answers',
      ...next,
    },
  };

  it('goes on: the next attempt may begin, complete and fail it', () => {
    const begun = [requested, started(1)];
    expect(given(backupDecider, begun).when(failAttempt(1)).gives).toEqual([attemptFailed]);
    const again = [...begun, attemptFailed, started(2)];
    expect(given(backupDecider, again).when(complete(2)).decision.events.at(-1)).toMatchObject({
      type: 'BackupCompleted',
    });
    expect(given(backupDecider, again).when(failAttempt(2)).gives).toMatchObject([{ data: { attempt: 2 } }]);
    expect(given(backupDecider, again).when(failAttempt(1)).gives).toBe('attempt-superseded');
    expect(given(backupDecider, [...begun, failed]).when(failAttempt(1)).gives).toBe('backup-already-ended');
  });

  it('records the failure once, though it is told twice, and as much of the reason as an event holds', () => {
    const begun = [requested, started(1)];
    expect(given(backupDecider, [...begun, attemptFailed]).when(failAttempt(1)).gives).toEqual([]);
    expect(given(backupDecider, begun).when(failAttempt(1, 'x'.repeat(10_000))).gives).toMatchObject([
      { data: { reason: 'x'.repeat(2_000) } },
    ]);
  });

  it('still keeps its instance, can not be deleted, and says when it is tried again', () => {
    const { outcome } = given(backupDecider, [requested, started(1), attemptFailed]).when({
      type: 'RequestDeletion',
      backupId,
      accountId: account,
      trigger: 'request',
    });
    expect(outcome).toMatchObject({
      refused: 'backup-still-running',
      message: `Backup ${backupId} is tried again at 2026-11-23T14:30:05Z, and until 2026-11-23T15:30:00Z, because attempt 1 failed with server-unreachable: nothing answers. Wait until it has ended, then delete it.`,
    });
  });
});

describe('a backup that is given up', () => {
  const next = { retryAt: '2026-11-23T14:30:05.000Z', retryUntil: '2026-11-23T15:30:00.000Z' };
  const giveUp = { type: 'GiveUpBackup' as const, backupId, code: 'instance-forgotten', reason: 'It was deleted.' };
  const attemptFailed: NewEvent = {
    type: 'BackupAttemptFailed',
    data: { backupId, instanceId, scheduleId, attempt: 1, code: 'server-unreachable', reason: 'down', ...next },
  };

  it('has failed and sets its instance free when it waits for its next attempt', () => {
    const { decision } = given(backupDecider, [requested, started(1), attemptFailed]).when(giveUp);
    expect(decision).toMatchObject({
      events: [
        {
          type: 'BackupFailed',
          data: { code: 'instance-forgotten', reason: 'It was deleted. Its last attempt failed because: down' },
        },
      ],
      releases: [{ key: instanceId }],
    });
  });

  it('goes on when a runner is at it, and stays as it is when it has ended', () => {
    for (const running of [[requested], [requested, started(1)], [requested, started(1), attemptFailed, started(2)]]) {
      expect(given(backupDecider, running).when(giveUp).gives).toBe('backup-still-running');
    }
    expect(given(backupDecider, [requested, started(1), completed]).when(giveUp).gives).toEqual([]);
  });
});

describe('a backup that is begun late', () => {
  it('says so before it begins, with as much of the reason as an event holds', () => {
    const delay = { ground: 'no-runner-free', reason: 'x'.repeat(3_000), delayMs: 90_000 };
    const told = { data: { backupId, instanceId, scheduleId, ...delay, reason: 'x'.repeat(2_000) } };
    expect(given(backupDecider, [requested]).when({ ...start(1), delay }).gives).toMatchObject([
      { type: 'BackupDelayed', ...told },
      { type: 'BackupStarted' },
    ]);
    expect(given(backupDecider).when({ ...requestIt, delay }).gives).toMatchObject([
      { type: 'BackupRequested' },
      { type: 'BackupDelayed', ...told },
    ]);
  });
});

describe('a slot without a backup', () => {
  it('tells as much of the reason as an event holds', () => {
    const long = { ...slot, reason: 'x'.repeat(3_000) };
    for (const type of ['SkipSlot', 'MissSlot'] as const) {
      const { events } = given(backupDecider).when({ type, slot: long }).decision;
      expect(events).toMatchObject([{ data: { reason: 'x'.repeat(2_000) } }]);
    }
  });
});
