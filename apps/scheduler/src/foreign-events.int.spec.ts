/** What the scheduler does about events and rows that name things of another account or instance. */
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type EventData, type NewEvent, type StreamName, streamOf } from '@strongroom/contracts';
import type { Bound } from '@strongroom/credentials';
import { z } from 'zod';
import { forgeEvent } from '../../../test/services/forged-event.js';
import { storeRandomBackup } from '../../../test/vaults/stored-backup.js';
import { accountId, DeletingWorld } from '../fixtures/deleting-world.js';
import { RunnerWorld } from '../fixtures/runner-world.js';
import { BackupAttempt } from './jobs/backup/backup-attempt.js';
import { ChainEndAttempt } from './jobs/chain-end/chain-end-attempt.js';
import { DueClock } from './slots/due-clock.js';
import { SlotDispatcher } from './slots/slot-dispatcher.js';
import { setTimer } from './slots/slot-timers.js';

const forger = 'forger';
const nobody = { host: '127.0.0.1', port: 1, user: 'backup', password: 'the secret of acme' };

describe('a server of another account', () => {
  let world: RunnerWorld;
  let victim: string;
  let asked: string[];
  beforeAll(async () => {
    world = await RunnerWorld.create();
  });
  afterAll(() => world.remove());
  beforeEach(async () => {
    victim = await world.register(nobody);
    asked = [];
  });

  const requestBy = async (account: string, fields: Partial<EventData<'BackupRequested'>> = {}) => {
    const backupId = randomUUID();
    await forgeEvent(world.dataSource, {
      ...{ stream: streamOf('backup', backupId), accountId: account, instanceId: victim },
      event: {
        type: 'BackupRequested',
        data: {
          ...{ backupId, instanceId: victim, scheduleId: null, slotAt: null, trigger: 'request', type: 'full' },
          ...{ parentId: null, name: 'mine', description: null, copyTo: [] },
          datastore: { type: 'postgresql', version: '18' },
          ...fields,
        },
      },
    });
    return backupId;
  };
  /** The parts, with credentials that tell which of them were asked for. */
  const watching = () => ({
    ...world,
    vaults: { regions: ['DFW'] },
    credentials: Object.assign(Object.create(world.credentials), {
      get: (bound: Bound) => {
        asked.push(bound.instanceId);
        return world.credentials.get(bound);
      },
    }),
  });

  it('is not backed up, and its password is not asked for', async () => {
    const backupId = await requestBy(forger);
    await new BackupAttempt(watching(), world.job('backup', backupId), world.hold()).perform();
    const [, , failed] = await world.ledger.readStream(streamOf('backup', backupId));
    expect(failed).toMatchObject({ type: 'BackupFailed', data: { code: 'belongs-elsewhere' } });
    expect(JSON.stringify(failed?.data)).not.toContain('acme');
    expect(asked).toEqual([]);
  });

  it('is not asked to release anything', async () => {
    const backupId = await requestBy(forger);
    const end = new ChainEndAttempt(watching(), world.job('chain-end', backupId), world.hold()).perform();
    await expect(end).rejects.toMatchObject({ code: 'belongs-elsewhere' });
    expect(asked).toEqual([]);
  });

  it('that an event leads elsewhere gets nothing there: the password is not opened, and nobody is dialled', async () => {
    const dialled: string[] = [];
    const stranger = createServer((socket) => {
      dialled.push(String(socket.remoteAddress));
      socket.destroy();
    });
    await new Promise<void>((resolve) => stranger.listen(0, '127.0.0.1', resolve));
    const { port } = z.object({ port: z.int() }).parse(stranger.address());
    const secured = { caCertificate: null, clientCertificate: null };
    const endpoint = {
      ...{ host: '127.0.0.1', port, user: 'backup', database: 'postgres', tls: 'disable' as const },
      ...secured,
    };
    await forgeEvent(world.dataSource, {
      ...{ stream: streamOf('instance', victim), accountId: 'acme', instanceId: victim },
      event: { type: 'InstanceChanged', data: { instanceId: victim, name: 'orders', endpoint, credentialId: null } },
    });
    const backupId = await requestBy('acme');
    await new BackupAttempt(watching(), world.job('backup', backupId), world.hold()).perform();
    await new Promise((resolve) => stranger.close(resolve));
    const failed = (await world.ledger.readStream(streamOf('backup', backupId))).at(-1);
    expect(failed).toMatchObject({ type: 'BackupFailed', data: { code: 'credential-unreadable' } });
    expect(dialled).toEqual([]);
  });

  it('gives no parent: an incremental on a backup of another instance or account is refused', async () => {
    const parentId = randomUUID();
    const other = await world.register(nobody);
    const of = { stream: streamOf('backup', parentId), accountId: 'acme', instanceId: other };
    const made = {
      backupId: parentId,
      instanceId: other,
      scheduleId: null,
      type: 'full',
      parentId: null,
      copyTo: [],
    } as const;
    await forgeEvent(world.dataSource, {
      ...of,
      event: {
        type: 'BackupRequested',
        data: {
          ...made,
          ...{ slotAt: null, trigger: 'request', name: 'theirs', description: null },
          ...{ copyTo: [], datastore: { type: 'postgresql', version: '18' } },
        },
      },
    });
    const { manifest, sha256, location } = await storeRandomBackup(world.vault, parentId);
    expect(manifest.backupId).toBe(parentId);
    const done = { attempt: 1, region: 'DFW', location, sizeBytes: 1, rawBytes: 1, sha256 };
    await forgeEvent(world.dataSource, {
      ...of,
      event: { type: 'BackupCompleted', data: { ...made, ...done, copyTo: [], startedAt: '2026-11-24T00:00:00.000Z' } },
    });
    const backupId = await requestBy('acme', { type: 'incremental', parentId });
    await new BackupAttempt(watching(), world.job('backup', backupId), world.hold()).perform();
    const failed = (await world.ledger.readStream(streamOf('backup', backupId))).at(-1);
    expect(failed).toMatchObject({ type: 'BackupFailed', data: { code: 'incremental-not-possible' } });
    expect(asked).toEqual([]);
  });
});

describe('a slot', () => {
  let world: RunnerWorld;
  const clock = new (class extends DueClock {
    at = new Date('2026-11-24T02:00:05.000Z');
    now(): Promise<Date> {
      return Promise.resolve(this.at);
    }
  })();
  beforeAll(async () => {
    world = await RunnerWorld.create();
  });
  afterAll(() => world.remove());
  beforeEach(() => world.dataSource.query('delete from slot_timer; delete from set_aside'));

  const dispatcher = () =>
    new SlotDispatcher(world.dataSource, world.ledger, world.views, world.ids, clock, world.log, 3_600_000);
  const timing = { dayOfWeek: 7, hour: 2, minute: 0, fullBackupRetention: 2, paused: false };
  const scheduleBy = async (account: string, instanceId: string) => {
    const scheduleId = randomUUID();
    const stream: StreamName = streamOf('schedule', scheduleId);
    const event: NewEvent = { type: 'ScheduleCreated', data: { scheduleId, instanceId, ...timing, copyTo: [] } };
    await forgeEvent(world.dataSource, { stream, accountId: account, instanceId, event });
    await world.dataSource.query('alter table ledger_event disable trigger user');
    await world.dataSource.query(`update ledger_event set at = '2026-11-23T12:00:00Z' where stream = $1`, [stream]);
    await world.dataSource.query('alter table ledger_event enable trigger user');
    const [created] = await world.ledger.readStream(stream);
    if (created?.type !== 'ScheduleCreated') throw new Error('the schedule is not there');
    await setTimer(world.dataSource.manager, created);
    return scheduleId;
  };
  const requested = async () =>
    Number((await world.dataSource.query(`select count(*) from ledger_event where type = 'BackupRequested'`))[0].count);

  it('of a schedule whose instance is of another account does not fire, and is set aside', async () => {
    const victim = await world.register(nobody);
    const scheduleId = await scheduleBy(forger, victim);
    expect(await dispatcher().decideDue()).toMatchObject({ fired: 0 });
    expect(await requested()).toBe(0);
    const aside = await world.dataSource.query(`select id from set_aside where kind = 'schedule'`);
    expect(aside).toEqual([{ id: scheduleId }]);
  });

  it.each(['account_id', 'instance_id'])(
    'fires for its schedule alone: a timer with another %s is dropped',
    async (column) => {
      const victim = await world.register(nobody);
      await scheduleBy('acme', victim);
      const value = column === 'account_id' ? forger : await world.register(nobody);
      await world.dataSource.query(`update slot_timer set ${column} = $1`, [value]);
      expect(await dispatcher().decideDue()).toMatchObject({ fired: 0 });
      expect(await requested()).toBe(0);
      expect(await world.dataSource.query('select 1 from slot_timer')).toEqual([]);
    },
  );
});

describe('a deletion', () => {
  let world: DeletingWorld;
  beforeAll(async () => {
    world = await DeletingWorld.create();
  });
  afterAll(() => world.remove());

  it('that another account has asked for deletes nothing', async () => {
    const stored = await world.store({ copies: ['IAD'] });
    await forgeEvent(world.dataSource, {
      ...{ stream: streamOf('backup', stored.backupId), accountId: forger, instanceId: stored.instanceId },
      event: { type: 'BackupDeletionRequested', data: { ...stored, scheduleId: null, trigger: 'request' } },
    });
    await expect(world.attempt(stored)).rejects.toMatchObject({ code: 'belongs-elsewhere' });
    expect(await world.heldIn(stored)).toEqual(['DFW', 'IAD']);
  });

  it('takes no backup of another account with it that names the backup as its parent', async () => {
    const stored = await world.store();
    const theirs = await world.store({ parentId: stored.backupId });
    await world.views.catchUp(accountId);
    await world.dataSource.query('update backup_view set account_id = $1 where id = $2', [forger, theirs.backupId]);
    await world.askForDeletion(stored);
    expect(await world.attempt(stored)).toBe('finished');
    expect(await world.heldIn(stored)).toEqual([]);
    expect(await world.heldIn(theirs)).toEqual(['DFW']);
  });
});
