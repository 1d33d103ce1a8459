import { rename } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type EventData, streamOf } from '@strongroom/contracts';
import { whySkipped } from '@strongroom/domain';
import type { Clock, LeasedJob, Performed } from '@strongroom/runtime';
import { type Vault, VaultFault } from '@strongroom/vault';
import { CustomerDatabase } from '../../../../../test/customer-database.js';
import { PassingVault } from '../../../../../test/vaults/passing-vault.js';
import { EventfulVault } from '../../../fixtures/eventful-vault.js';
import { RunnerWorld } from '../../../fixtures/runner-world.js';
import { BackupAttempt } from './backup-attempt.js';
import { HomeOutage } from './home-outage.js';

let customer: CustomerDatabase;
let world: RunnerWorld;
let instanceId: string;

beforeAll(async () => {
  customer = await CustomerDatabase.start({ megabytes: 1, settings: { summarize_wal: 'on' } });
  world = await RunnerWorld.create();
}, 120_000);
afterAll(async () => {
  await world.remove();
  await customer.stop();
});
beforeEach(async () => {
  await customer.query('select pg_drop_replication_slot(slot_name) from pg_replication_slots where not active');
  instanceId = await world.register(customer.server);
});

const windowMs = 60_000;
const attempt = (
  backupId: string,
  job: Partial<LeasedJob> = {},
  { vault = world.vault, ...parts }: { vault?: Vault; retryWindowMs?: number; clock?: Clock; home?: HomeOutage } = {},
): Promise<Performed> =>
  new BackupAttempt(
    { ...world, retryWindowMs: windowMs, ...parts, vault, vaults: { regions: ['DFW', 'IAD'] } },
    world.job('backup', backupId, job),
    world.hold(),
  ).perform();
const eventsOf = (backupId: string) => world.ledger.readStream(streamOf('backup', backupId));
const lastOf = async (backupId: string) => (await eventsOf(backupId)).at(-1);
const failuresOf = async (backupId: string): Promise<EventData<'BackupAttemptFailed'>[]> =>
  (await eventsOf(backupId)).flatMap((event) => (event.type === 'BackupAttemptFailed' ? [event.data] : []));
const ofSlot = (fields: Partial<EventData<'BackupRequested'>> = {}) =>
  world.request(instanceId, {
    trigger: 'slot',
    scheduleId: world.ids.next(),
    slotAt: '2026-11-24T02:00:00.000Z',
    ...fields,
  });

describe('a backup whose server is away', () => {
  it('is tried again with growing pauses, and completes when the server is back', async () => {
    const backupId = await ofSlot();
    await customer.kill();
    expect(await attempt(backupId)).toEqual({ retryInMs: 5_000 });
    expect(await attempt(backupId, { attempt: 2 })).toEqual({ retryInMs: 10_000 });
    await customer.restart();
    expect(await attempt(backupId, { attempt: 3 })).toBe('finished');
    const found = ['BackupIdentified', 'BackupVersionFound'];
    const types = (await world.eventTypesOf(backupId)).filter((type) => !found.includes(type));
    expect(types).toEqual([
      'BackupRequested',
      'BackupStarted',
      'BackupAttemptFailed',
      'BackupStarted',
      'BackupAttemptFailed',
      'BackupStarted',
      'BackupCompleted',
    ]);
    const [first, second] = await failuresOf(backupId);
    expect(first).toMatchObject({ backupId, instanceId, attempt: 1, code: 'server-unreachable' });
    expect(second).toMatchObject({ attempt: 2, code: 'server-unreachable' });
    expect(Date.parse(first?.retryUntil ?? '') - Date.parse(first?.retryAt ?? '')).toBe(windowMs - 5_000);
  });
});

describe('a backup whose vault is away', () => {
  it('is tried again, and its parent is looked at anew', async () => {
    const parentId = await world.request(instanceId);
    await attempt(parentId);
    const backupId = await ofSlot({ type: 'incremental', parentId });
    const away = new EventfulVault(world.vault, async () => {
      throw new VaultFault('vault-unavailable', 'DFW', 'The vault of DFW is away.');
    });
    expect(await attempt(backupId, {}, { vault: away })).toEqual({ retryInMs: 5_000 });
    expect(await failuresOf(backupId)).toMatchObject([
      { code: 'vault-unavailable', reason: 'The vault of DFW is away.' },
    ]);
    await world.vault.purge(parentId, 1);
    expect(await attempt(backupId, { attempt: 2 })).toBe('finished');
    expect(await lastOf(backupId)).toMatchObject({ type: 'BackupCompleted', data: { type: 'full', attempt: 2 } });
  });
});

describe('backups whose home region is away for hours', () => {
  const hour = 3_600_000;
  const awayFolder = () => `${world.folder}.away`;
  let lateMs: number;
  let outage: { clock: Clock; home: HomeOutage; retryWindowMs: number };
  beforeEach(async () => {
    lateMs = 0;
    const clock = { now: () => new Date(Date.now() + lateMs) };
    outage = { clock, home: new HomeOutage({ ...world, clock }), retryWindowMs: 6 * hour };
    await rename(world.folder, awayFolder());
  });
  afterEach(() => rename(awayFolder(), world.folder).catch(() => {}));

  const onInstances = async (count: number) => {
    const ids: string[] = [];
    for (let made = 0; made < count; made += 1) {
      instanceId = await world.register(customer.server);
      ids.push(await ofSlot());
    }
    return ids;
  };
  const pausesOf = async (ids: readonly string[]): Promise<number[]> => {
    const rows: { ms: number }[] = await world.dataSource.query(
      `select extract(epoch from ready_at - now())::float8 * 1000 as ms from job where kind = 'backup' and id = any($1::uuid[])`,
      [ids],
    );
    return rows.map(({ ms }) => ms);
  };

  it('record it once, are not begun while it goes on, and are due and made when the region is back', async () => {
    const ids = await onInstances(3);
    const [first = '', ...others] = ids;
    expect(await attempt(first, {}, outage)).toEqual({ retryInMs: 5_000 });
    for (let failures = 0; failures < 8; failures += 1) {
      lateMs += hour / 2;
      await outage.home.look();
      for (const id of others) {
        const waits = await attempt(id, { attempt: failures + 1, failures }, outage);
        expect(waits).toEqual({ retryInMs: Math.min(5_000 * 2 ** failures, 300_000), hasFailed: true });
      }
    }
    expect(await world.eventTypesOf(first)).toEqual(['BackupRequested', 'BackupStarted', 'BackupAttemptFailed']);
    for (const id of others) expect(await world.eventTypesOf(id)).toEqual(['BackupRequested']);
    expect([...(await world.outages.known()).values()]).toMatchObject([{ region: 'DFW', code: 'vault-unavailable' }]);

    await world.dataSource.query(`update job set ready_at = now() + interval '1 hour' where kind = 'backup'`);
    await rename(awayFolder(), world.folder);
    await outage.home.look();
    expect((await world.outages.known()).size).toBe(0);
    for (const ms of await pausesOf(ids)) expect(ms).toBeLessThanOrEqual(0);
    for (const id of ids) {
      expect(await attempt(id, { attempt: 20 }, outage)).toBe('finished');
      expect(await lastOf(id)).toMatchObject({ type: 'BackupCompleted' });
      const delayed = (await eventsOf(id)).find(({ type }) => type === 'BackupDelayed');
      expect(delayed).toMatchObject({ data: { ground: 'home-away', reason: expect.stringContaining('DFW') } });
    }
  }, 60_000);

  it('are told as failed with the outage as the reason when they may be late no longer, and nothing is tried for that', async () => {
    const [first = '', waiting = ''] = await onInstances(2);
    await attempt(first, {}, outage);
    lateMs = 6 * hour - 60_000;
    expect(await attempt(waiting, {}, outage)).toMatchObject({ hasFailed: true });
    lateMs = 6 * hour + 60_000;
    expect(await attempt(waiting, { attempt: 2 }, outage)).toBe('finished');
    expect(await world.eventTypesOf(waiting)).toEqual(['BackupRequested', 'BackupFailed']);
    expect(await lastOf(waiting)).toMatchObject({
      data: {
        code: 'vault-unavailable',
        reason: expect.stringMatching(/^Region DFW .* no attempt at the backup was begun/),
      },
    });
    expect(await attempt(first, { attempt: 2 }, outage)).toBe('finished');
    expect(await lastOf(first)).toMatchObject({ type: 'BackupFailed', data: { code: 'vault-unavailable' } });
  });

  it('are made all the same when the region turns out to be back at the last moment', async () => {
    const [first = '', waiting = ''] = await onInstances(2);
    await attempt(first, {}, outage);
    await rename(awayFolder(), world.folder);
    lateMs = 7 * hour;
    expect(await attempt(waiting, {}, outage)).toBe('finished');
    expect(await lastOf(waiting)).toMatchObject({ type: 'BackupCompleted' });
  });
});

describe('a backup whose fault passes', () => {
  const unavailable = () =>
    new EventfulVault(world.vault, async () => {
      throw new VaultFault('vault-unavailable', 'DFW', 'The vault of DFW is away.');
    });

  it('is FAILED when the window is used up, with the last fault, how often and how long', async () => {
    const backupId = await ofSlot();
    const away = { vault: unavailable(), retryWindowMs: 6_000 };
    expect(await attempt(backupId, {}, away)).toEqual({ retryInMs: 5_000 });
    expect(await attempt(backupId, { attempt: 2 }, away)).toEqual({ retryInMs: expect.any(Number) });
    expect(await attempt(backupId, { attempt: 3 }, away)).toBe('finished');
    expect(await lastOf(backupId)).toMatchObject({
      type: 'BackupFailed',
      data: {
        attempt: 3,
        code: 'vault-unavailable',
        reason: expect.stringMatching(/^The backup was tried 3 times, .* because: The vault of DFW is away\.$/),
      },
    });
  });

  it('is tried for its whole window though a clock is put forward during an attempt', async () => {
    const backupId = await ofSlot();
    let isForward = false;
    const clock = { now: () => new Date(Date.now() + (isForward ? 86_400_000 : 0)) };
    const vault = new EventfulVault(world.vault, () => {
      isForward = true;
      return Promise.reject(away);
    });
    expect(await attempt(backupId, {}, { vault: unavailable() })).toEqual({ retryInMs: 5_000 });
    expect(await attempt(backupId, { attempt: 2 }, { vault, clock })).toEqual({ retryInMs: 10_000 });
  });

  it('is tried again when the vault knows a later attempt than the ledger does', async () => {
    const backupId = await ofSlot();
    await world.vault.begin(backupId, 2);
    expect(await attempt(backupId)).toEqual({ retryInMs: 5_000 });
    expect(await failuresOf(backupId)).toMatchObject([{ code: 'upload-superseded' }]);
    expect(await attempt(backupId, { attempt: 3 })).toBe('finished');
    expect(await lastOf(backupId)).toMatchObject({ type: 'BackupCompleted', data: { attempt: 3 } });
  });

  it('is not tried again where the deployment makes nothing up for', async () => {
    const backupId = await ofSlot();
    expect(await attempt(backupId, {}, { vault: unavailable(), retryWindowMs: 0 })).toBe('finished');
    expect(await lastOf(backupId)).toMatchObject({
      type: 'BackupFailed',
      data: { code: 'vault-unavailable', reason: 'The vault of DFW is away.' },
    });
  });

  it('is tried for a quarter of an hour when a client has asked for it, and for the whole window when a slot has', async () => {
    const spans = [];
    for (const backupId of [await world.request(instanceId), await ofSlot({ type: 'full' })]) {
      await attempt(backupId, {}, { vault: unavailable(), retryWindowMs: 43_200_000 });
      const [failed] = await failuresOf(backupId);
      spans.push(Date.parse(failed?.retryUntil ?? '') - Date.parse(failed?.retryAt ?? '') + 5_000);
    }
    expect(spans).toEqual([900_000, 43_200_000]);
  });

  it('stays incremental when the vault was away while the parent was read, and is full only when that is damaged', async () => {
    const parentId = await world.request(instanceId);
    await attempt(parentId);
    const backupId = await ofSlot({ type: 'incremental', parentId });
    const cut = new (class extends PassingVault {
      override read(): Readable {
        throw new VaultFault('vault-unavailable', 'DFW', 'The vault of DFW is away.');
      }
    })(world.vault);
    expect(await attempt(backupId, {}, { vault: cut })).toEqual({ retryInMs: 5_000 });
    expect(await attempt(backupId, { attempt: 2 })).toBe('finished');
    expect(await world.eventTypesOf(backupId)).not.toContain('BackupMadeFull');
    expect(await lastOf(backupId)).toMatchObject({ data: { type: 'incremental', parentId } });
  });
});

describe('a slot that was skipped because a backup was tried again', () => {
  it('is made up for: the backup is tried for as long as the slot would have been', async () => {
    const backupId = await world.request(instanceId);
    const vault = new EventfulVault(world.vault, () => Promise.reject(away));
    const within = { vault, retryWindowMs: 3_000 };
    expect(await attempt(backupId, {}, within)).toEqual({ retryInMs: 3_000 });
    const scheduleId = world.ids.next();
    const slotAt = new Date(Date.now() + 60_000).toISOString();
    const timing = { dayOfWeek: 0, hour: 2, minute: 0, fullBackupRetention: 2, copyTo: [], paused: false };
    const created = { type: 'ScheduleCreated', data: { scheduleId, instanceId, ...timing } } as const;
    await world.record(streamOf('schedule', scheduleId), instanceId, created);
    const reason = whySkipped(backupId, undefined);
    await world.record(streamOf('backup', world.ids.next()), instanceId, {
      type: 'SlotSkipped',
      data: { scheduleId, instanceId, slotAt, reason },
    });
    expect(await attempt(backupId, { attempt: 2 }, within)).toEqual({ retryInMs: expect.any(Number) });
    expect(await attempt(backupId, { attempt: 3 }, within)).toEqual({ retryInMs: expect.any(Number) });
    const failures = await failuresOf(backupId);
    const untilMs = Date.parse(slotAt) + 3_000;
    expect(failures.slice(1).map(({ retryUntil }) => Date.parse(retryUntil) <= untilMs)).toEqual([true, true]);
    expect(Date.parse(failures[1]?.retryUntil ?? '')).toBe(untilMs);
  });
});

describe('a backup whose fault does not pass', () => {
  it('is FAILED at once, though it was tried again before', async () => {
    const backupId = await ofSlot();
    await customer.kill();
    await attempt(backupId);
    await customer.restart();
    await world.setPassword(instanceId, 'another');
    expect(await attempt(backupId, { attempt: 2 })).toBe('finished');
    expect(await lastOf(backupId)).toMatchObject({
      type: 'BackupFailed',
      data: { code: 'credentials-refused', reason: expect.stringContaining('The backup was tried 2 times') },
    });
  });

  it.each([
    ['the password is wrong', async () => world.setPassword(instanceId, 'another')],
    ['the instance was forgotten', async () => forget(instanceId)],
  ])('because %s is FAILED at once', async (_, breakIt) => {
    const backupId = await ofSlot();
    await breakIt();
    expect(await attempt(backupId)).toBe('finished');
    expect(await world.eventTypesOf(backupId)).toEqual(['BackupRequested', 'BackupStarted', 'BackupFailed']);
  });
});

const forget = (id: string) =>
  world.record(streamOf('instance', id), id, { type: 'InstanceForgotten', data: { instanceId: id } });

describe('a backup that is begun late', () => {
  it('says why: no scheduler was free for it, or the attempt before has no outcome', async () => {
    const backupId = await ofSlot();
    const later = { now: () => new Date(Date.now() + 180_000) };
    const lost = { backupId, attempt: 1, region: 'DFW', runner: 'scheduler-a-1' };
    await new BackupAttempt(
      { ...world, clock: later, vault: new EventfulVault(world.vault, () => Promise.reject(away)) },
      world.job('backup', backupId),
      world.hold(),
    ).perform();
    await world.record(streamOf('backup', backupId), instanceId, {
      type: 'BackupStarted',
      data: { ...lost, attempt: 2 },
    });
    await attempt(backupId, { attempt: 3 });
    const delays = (await eventsOf(backupId)).flatMap((event) => (event.type === 'BackupDelayed' ? [event.data] : []));
    expect(delays).toMatchObject([
      { ground: 'no-runner-free', reason: expect.stringContaining('for 3 min after it was asked for') },
      { ground: 'attempt-lost', reason: expect.stringContaining('Attempt 2, which scheduler began at') },
    ]);
    expect(delays[0]?.delayMs).toBeGreaterThanOrEqual(180_000);
  });
});

const away = new VaultFault('vault-unavailable', 'DFW', 'The vault of DFW is away.');
