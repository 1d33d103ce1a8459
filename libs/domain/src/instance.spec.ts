import { describe, expect, it } from '@jest/globals';
import type { Endpoint, EventData, NewEvent } from '@strongroom/contracts';
import { historyOfCompleted } from '../fixtures/completed-backup.js';
import { backupDecider } from './backup.js';
import { account, given } from './given.js';
import { type InstanceChanges, instanceDecider } from './instance.js';
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
const register = { type: 'RegisterInstance' as const, accountId: account, ...data };
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

  it('counts as one of its account until it is forgotten, and as a built server as long as there is one', () => {
    const backupId = '9c2f4f52-6f2e-4f0a-8a39-5a2f1de9a1b7';
    const { state: backup } = given(backupDecider, historyOfCompleted(backupId));
    const build = { type: 'BuildInstance' as const, accountId: account, instanceId, name: 'copy', backupId, backup };
    const { decision } = given(instanceDecider).when({ ...register, mostInstances: 7 });
    expect(decision.quotas).toEqual([{ kind: 'instances-of-account', key: account, by: 1, most: 7 }]);
    const asked = given(instanceDecider).when({ ...build, mostInstances: 7, mostBuiltServers: 2 }).decision;
    expect(asked.quotas).toMatchObject([
      { kind: 'instances-of-account', by: 1, most: 7 },
      { kind: 'built-servers-of-account', by: 1, most: 2 },
    ]);
    const ends = (events: NewEvent[]) => given(instanceDecider, events).when(forget).decision.quotas;
    const instanceGoes = { kind: 'instances-of-account', key: account, by: -1 };
    const serverGoes = { kind: 'built-servers-of-account', key: account, by: -1 };
    expect(ends([registered])).toMatchObject([instanceGoes]);
    const failing = given(instanceDecider, asked.events).when({ type: 'FailBuild', code: 'x', reason: 'y' }).decision;
    expect(failing.quotas).toMatchObject([serverGoes]);
    expect(ends([...asked.events, ...failing.events])).toEqual([expect.objectContaining(instanceGoes)]);
    const completed = { type: 'CompleteBuild' as const, endpoint: data.endpoint, region: 'DFW' };
    const built = given(instanceDecider, asked.events).when(completed).decision.events;
    expect(ends([...asked.events, ...built])).toMatchObject([instanceGoes, serverGoes]);
  });

  it('that was forgotten is unknown to a command that finds its claim taken', () => {
    expect(backupDecider.claimed['running-backup-of-instance']?.(instanceId, instanceId).refused).toBe(
      'instance-unknown',
    );
    expect(scheduleDecider.claimed['schedule-of-instance']?.(instanceId, instanceId).refused).toBe('instance-unknown');
  });
});

describe('an instance that is changed', () => {
  const credentialId = '0e7a5d5c-6b6f-4d0a-9d3f-5f9a7f1a2b3c';
  const none = { caCertificate: null, clientCertificate: null };
  const change = (changes: InstanceChanges) => ({
    type: 'ChangeInstance' as const,
    accountId: account,
    instanceId,
    changes,
  });
  const changed = (fields: Partial<EventData<'InstanceChanged'>>): NewEvent => ({
    type: 'InstanceChanged',
    data: { instanceId, name: 'orders', endpoint: { ...data.endpoint, ...none }, credentialId: null, ...fields },
  });
  const moved = { ...data.endpoint, host: 'other' };

  it('says whole what is in force from then on', () => {
    const { when } = given(instanceDecider, [registered]);
    expect(when(change({ name: 'bills' })).gives).toEqual([changed({ name: 'bills' })]);
    expect(when(change({ credentialId })).gives).toEqual([changed({ credentialId })]);
    expect(when(change({ endpoint: moved })).gives).toEqual([changed({ endpoint: { ...moved, ...none } })]);
    const twice = given(instanceDecider, [
      registered,
      changed({ credentialId }),
      changed({ name: 'bills', credentialId }),
    ]);
    expect(twice.state).toMatchObject({ is: 'registered', name: 'bills', credentialId });
    expect(twice.when(change({ endpoint: moved })).gives).toEqual([
      changed({ name: 'bills', endpoint: { ...moved, ...none }, credentialId }),
    ]);
  });

  it('is refused what would change nothing', () => {
    const { when } = given(instanceDecider, [registered]);
    expect(when(change({})).gives).toBe('instance-unchanged');
    expect(when(change({ name: 'orders', endpoint: { ...data.endpoint } })).gives).toBe('instance-unchanged');
    expect(when(change({ endpoint: { ...data.endpoint, ...none } })).gives).toBe('instance-unchanged');
  });

  it('is changed by its account alone, and only while it is there', () => {
    const command = change({ name: 'bills' });
    expect(given(instanceDecider, [registered]).when({ ...command, accountId: 'other' }).gives).toBe(
      'instance-unknown',
    );
    expect(given(instanceDecider, [registered, forgotten]).when(command).gives).toBe('instance-unknown');
    expect(given(instanceDecider).when(command).gives).toBe('instance-unknown');
  });

  it('has its certificates from its registration on', () => {
    const certificates = { caCertificate: 'CA', clientCertificate: 'client' };
    const secured = { ...data.endpoint, ...certificates };
    expect(given(instanceDecider).when({ ...register, endpoint: secured, credentialId }).gives).toEqual([
      registered,
      changed({ endpoint: secured, credentialId }),
    ]);
  });

  it('keeps its credential for what is still to be tidied up when it is forgotten', () => {
    const { state } = given(instanceDecider, [registered, changed({ credentialId }), forgotten]);
    expect(state).toMatchObject({ is: 'forgotten', credentialId });
  });
});

describe('the version of a server', () => {
  const note = (version: string, endpoint: Endpoint = data.endpoint) => ({
    type: 'NoteVersion' as const,
    instanceId,
    endpoint,
    datastore: { type: 'postgresql' as const, version },
  });
  const found = (version: string): NewEvent => ({
    type: 'InstanceVersionFound',
    data: { instanceId, datastore: { type: 'postgresql', version } },
  });

  it('is the one that it has told, in place of the one that was declared', () => {
    const { when } = given(instanceDecider, [registered]);
    expect(when(note('17.6')).gives).toEqual([found('17.6')]);
    expect(when(note('18')).gives).toEqual([]);
    expect(given(instanceDecider, [registered, found('17.6')]).when(note('17.6')).gives).toEqual([]);
    expect(given(instanceDecider, [registered, found('17.6')]).state).toMatchObject({ datastore: { version: '17.6' } });
  });

  it('is kept in a form that an event takes, whatever the server says', () => {
    const { when } = given(instanceDecider, [registered]);
    expect(when(note('18.6-with-a-very-long-name-of-a-distribution')).gives).toEqual([
      found('18.6-with-a-very-long-name-of-a-'),
    ]);
    expect(when(note('')).gives).toEqual([]);
    expect(when(note('\0\n')).gives).toEqual([]);
  });

  it('is not taken from a server that the instance has left', () => {
    expect(given(instanceDecider, [registered]).when(note('17.6', { ...data.endpoint, port: 5433 })).gives).toEqual([]);
    expect(given(instanceDecider, [registered, forgotten]).when(note('17.6')).gives).toEqual([]);
  });

  it('is noted 200 times, so that a server which tells another one each time does not make the history endless', () => {
    const told = Array.from({ length: 199 }, (_, n) => found(`17.${n}`));
    expect(given(instanceDecider, [registered, ...told]).when(note('18')).gives).toEqual([found('18')]);
    expect(given(instanceDecider, [registered, ...told, found('18')]).when(note('19')).gives).toEqual([]);
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
    expect(from(history.slice(0, 1))).toBe('backup-not-yet-completed');
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

  it('can be renamed and get another password once it is built, and stays where it runs', () => {
    const change = { type: 'ChangeInstance' as const, accountId: account, instanceId };
    const elsewhere = { ...change, changes: { endpoint: { ...endpoint, port: 1 } } };
    expect(given(instanceDecider, [requested, built]).when(elsewhere).gives).toBe('instance-built-here');
    const renamed = { ...change, changes: { name: 'bills' } };
    expect(given(instanceDecider, [requested, built]).when(renamed).gives).toMatchObject([{ type: 'InstanceChanged' }]);
    expect(given(instanceDecider, [requested]).when(renamed).gives).toBe('instance-being-built');
    expect(given(instanceDecider, [requested, failed]).when(renamed).gives).toBe('instance-build-failed');
  });
});
