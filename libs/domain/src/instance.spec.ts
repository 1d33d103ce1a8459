import { describe, expect, it } from '@jest/globals';
import type { NewEvent } from '@strongroom/contracts';
import { historyOfCompleted } from '../fixtures/completed-backup.js';
import { backupDecider } from './backup.js';
import { account, given } from './given.js';
import { instanceDecider } from './instance.js';
import { scheduleDecider } from './schedule.js';

const instanceId = '44b277eb-39be-4921-be31-3d61b43651d7';
const data = {
  instanceId,
  name: 'orders',
  datastore: { type: 'postgresql' as const, version: '18' },
  endpoint: { host: 'db', port: 5432, user: 'backup', database: 'postgres', tls: 'require' as const },
};
const registered: NewEvent = { type: 'InstanceRegistered', data };
const forgotten: NewEvent = { type: 'InstanceForgotten', data: { instanceId } };
const register = { type: 'RegisterInstance' as const, ...data };
const forget = { type: 'ForgetInstance' as const, accountId: account, instanceId };

describe('an instance', () => {
  it('is registered once', () => {
    expect(given(instanceDecider).when(register).gives).toEqual([registered]);
    expect(given(instanceDecider, [registered]).when(register).gives).toBe('instance-exists');
    expect(given(instanceDecider, [registered, forgotten]).when(register).gives).toBe('instance-exists');
  });

  it('is forgotten by its account alone, and keeps what could begin on it for ever', () => {
    const { gives, decision } = given(instanceDecider, [registered]).when(forget);
    expect(gives).toEqual([forgotten]);
    expect(decision.claims).toEqual([
      { kind: 'running-backup-of-instance', key: instanceId },
      { kind: 'schedule-of-instance', key: instanceId },
    ]);
    expect(decision.releases).toBeUndefined();
    expect(given(instanceDecider, [registered]).when({ ...forget, accountId: 'other' }).gives).toBe('instance-unknown');
    expect(given(instanceDecider, [registered, forgotten]).when(forget).gives).toBe('instance-unknown');
  });

  it('that was forgotten is unknown to a command that finds its claim taken', () => {
    expect(backupDecider.claimed['running-backup-of-instance']?.(instanceId, instanceId).refused).toBe(
      'instance-unknown',
    );
    expect(scheduleDecider.claimed['schedule-of-instance']?.(instanceId, instanceId).refused).toBe('instance-unknown');
  });
});

describe('a lineage of an instance', () => {
  const [former, lineage, third] = [1, 2, 3].map((n) => `00000000-0000-4000-8000-00000000000${n}`) as [
    string,
    string,
    string,
  ];
  const accepts = (lineages: string[]) => ({
    type: 'AcceptLineage' as const,
    accountId: account,
    instanceId,
    lineage,
    lineages,
  });
  const accepted = (inPlaceOf: string[]): NewEvent => ({
    type: 'LineageAccepted',
    data: { instanceId, lineage, inPlaceOf },
  });

  it('is accepted once in place of all others, and again when there is a new one', () => {
    expect(given(instanceDecider, [registered]).when(accepts([former, lineage])).gives).toEqual([accepted([former])]);
    const already = given(instanceDecider, [registered, accepted([former])]);
    expect(already.when(accepts([lineage, former])).gives).toEqual([]);
    expect(already.when(accepts([lineage])).gives).toEqual([]);
    expect(already.when(accepts([third, lineage])).gives).toEqual([accepted([former, third])]);
    expect(given(instanceDecider, [registered]).when(accepts([lineage])).gives).toEqual([]);
  });

  it('is accepted by its account alone, and only when it exists', () => {
    expect(given(instanceDecider, [registered]).when(accepts([former])).gives).toBe('lineage-unknown');
    const all = accepts([former, lineage]);
    expect(given(instanceDecider, [registered]).when({ ...all, accountId: 'other' }).gives).toBe('instance-unknown');
    expect(given(instanceDecider, [registered, forgotten]).when(all).gives).toBe('instance-unknown');
  });
});

describe('an instance that is built from a backup', () => {
  const backupId = '0e7a5d5c-6b6f-5d0a-9d3f-5f9a7f1a2b3c';
  const { name, datastore, endpoint } = data;
  const requested: NewEvent = { type: 'InstanceBuildRequested', data: { instanceId, name, datastore, backupId } };
  const built: NewEvent = {
    type: 'InstanceBuilt',
    data: { instanceId, name, datastore, backupId, region: 'IAD', endpoint },
  };
  const failed: NewEvent = { type: 'InstanceBuildFailed', data: { instanceId, backupId, code: 'x', reason: 'y' } };
  const history = historyOfCompleted(backupId);
  const build = {
    type: 'BuildInstance' as const,
    accountId: account,
    instanceId,
    name,
    backupId,
    backup: given(backupDecider, history).state,
  };
  const complete = { type: 'CompleteBuild' as const, region: 'IAD', endpoint };
  const fail = { type: 'FailBuild' as const, code: 'x', reason: 'y' };

  it('needs a backup of its account that has completed, and is a server of that kind', () => {
    const from = (events: NewEvent[], accountId = account) =>
      given(instanceDecider).when({ ...build, accountId, backup: given(backupDecider, events).state }).gives;
    expect(from(history)).toEqual([requested]);
    expect(from(history, 'other')).toBe('backup-unknown');
    expect(from([])).toBe('backup-unknown');
    expect(from(history.slice(0, 1))).toBe('backup-not-completed');
    expect(from(history.slice(0, 1), 'other')).toBe('backup-unknown');
  });

  it('is asked for once, and ends once', () => {
    expect(given(instanceDecider).when(build).gives).toEqual([requested]);
    expect(given(instanceDecider, [requested]).when(build).gives).toBe('instance-exists');
    expect(given(instanceDecider, [requested]).when(complete).gives).toEqual([built]);
    expect(given(instanceDecider, [requested]).when(fail).gives).toEqual([failed]);
    for (const ended of [built, failed]) {
      for (const command of [complete, fail])
        expect(given(instanceDecider, [requested, ended]).when(command).gives).toEqual([]);
    }
  });

  it('is an instance like any other once it is built, and can be forgotten when it could not be built', () => {
    expect(given(instanceDecider, [requested, built]).state).toMatchObject({ is: 'registered', builtFrom: backupId });
    expect(given(instanceDecider, [requested]).when(forget).gives).toBe('instance-being-built');
    expect(given(instanceDecider, [requested, failed]).when(forget).gives).toEqual([forgotten]);
    expect(given(instanceDecider, [requested, built]).when(forget).gives).toEqual([forgotten]);
  });
});
