import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Answer } from '@strongroom/client';
import type { CopyResource } from '@strongroom/contracts';
import {
  getBackups,
  getBackupsId,
  getBackupsIdCopies,
  getSchedulesId,
  postBackupsIdAction,
  putSchedulesId,
} from '@strongroom/contracts';
import { backupDecider, type CopyCommand, copyDecider, copyId, copyRequest, fold } from '@strongroom/domain';
import { execute } from '@strongroom/ledger';
import { RandomIds } from '@strongroom/runtime';
import pg from 'pg';
import { z } from 'zod';
import { faultIn } from '../../fixtures/answers.js';
import { accountId, Gateway } from '../../fixtures/gateway.js';

const ids = new RandomIds();
const context = { requestId: 'spec', correlationId: 'spec', causationId: null, actor: 'spec' };
const startedAt = '2026-11-24T00:00:00.000Z';

let dfw: Gateway;
/** A gateway on the same database, after the home region was moved. */
let iad: Gateway;
beforeAll(async () => {
  dfw = await Gateway.open();
  iad = await Gateway.open({ database: dfw.database, env: { STRONGROOM_HOME_REGION: 'IAD' } });
});
afterAll(async () => {
  await iad.end();
  await dfw.close();
});

const faultOf = ({ status, body }: Answer) => [status, faultIn(body).message];
const copiesOf = async (gateway: Gateway, backupId: string): Promise<CopyResource[]> => {
  const { body } = await gateway.call(getBackupsIdCopies, { id: backupId });
  return z.object({ copies: z.array(z.custom<CopyResource>()) }).parse(body).copies;
};
const copy = (gateway: Gateway, backupId: string, region: string) =>
  gateway.call(postBackupsIdAction, { id: backupId, body: { 'copy-backup': { target_backup_region: region } } });
const typesOf = async (backupId: string, region: string) =>
  (await dfw.ledger.readStream(`copy-${copyId(backupId, region)}`)).map(({ type }) => type);
const change = (gateway: Gateway, scheduleId: string, schedule: object) =>
  gateway.call(putSchedulesId, { id: scheduleId, body: { schedule } });

async function completed(fields: Record<string, unknown> = {}): Promise<string> {
  const instance = await dfw.register();
  const backupId = await dfw.backup(instance, fields);
  await dfw.run(backupId, instance, 'completed');
  return backupId;
}

async function onCopy(backupId: string, region: string, ...commands: CopyCommand[]): Promise<void> {
  const history = await dfw.ledger.readStream(`backup-${backupId}`);
  const backup = fold(backupDecider, history);
  if (backup.is !== 'completed') throw new Error('the backup has not completed');
  const target = { id: copyId(backupId, region), accountId, instanceId: backup.request.instanceId, context };
  for (const command of commands) {
    expect(await execute({ ledger: dfw.ledger, ids }, copyDecider, target, command)).not.toHaveProperty('refused');
  }
}

async function copyThere(backupId: string, region: string, location = `backups/${backupId}`): Promise<void> {
  const history = await dfw.ledger.readStream(`backup-${backupId}`);
  const backup = fold(backupDecider, history);
  if (backup.is !== 'completed') throw new Error('the backup has not completed');
  const request = copyRequest(backup.completed, region);
  const { copyId: id, sizeBytes, sha256 } = request;
  const done = { location, sizeBytes, sha256, startedAt };
  await onCopy(
    backupId,
    region,
    { type: 'RequestCopy', request },
    { type: 'StartCopy', copyId: id, attempt: 1, replicator: 'spec' },
    { type: 'CompleteCopy', copyId: id, attempt: 1, ...done },
  );
}

describe('copying a backup', () => {
  it('to the region where it was made has that looked at, and the backup put back there from a region that has it', async () => {
    const backup = await completed();
    await copyThere(backup, 'ORD');
    expect(await copy(dfw, backup, 'DFW')).toMatchObject({ status: 202, body: undefined });
    expect(await copiesOf(dfw, backup)).toMatchObject([
      { region: 'DFW', source_region: 'ORD', status: 'PENDING' },
      { region: 'ORD', source_region: 'DFW', status: 'COMPLETED' },
    ]);
    // Meanwhile the backup stays as it is.
    expect((await dfw.call(getBackupsId, { id: backup })).body).toMatchObject({ backup: { status: 'COMPLETED' } });
    expect((await copy(dfw, backup, 'DFW')).status).toBe(202);
    expect(await typesOf(backup, 'DFW')).toEqual(['CopyRequested']);
  });

  it('back to the region where it was made has the backup say where it lies there now', async () => {
    const backup = await completed();
    const shown = async () =>
      z
        .object({ backup: z.object({ locationRef: z.string() }) })
        .parse((await dfw.call(getBackupsId, { id: backup })).body);
    const before = await shown();
    await copyThere(backup, 'ORD');
    expect(await shown()).toEqual(before);
    await copyThere(backup, 'DFW', 'backups/put-back');
    expect(await shown()).toEqual({ backup: { locationRef: 'strongroom://DFW/backups/put-back' } });
  });

  it('to a region that has it has it read back there, and changes nothing that is shown', async () => {
    const backup = await completed();
    await copyThere(backup, 'ORD');
    const before = await copiesOf(dfw, backup);
    expect((await copy(dfw, backup, 'ORD')).status).toBe(202);
    expect((await typesOf(backup, 'ORD')).at(-1)).toBe('CopyCheckRequested');
    expect(await copiesOf(dfw, backup)).toMatchObject(before.map(({ updated: _, ...rest }) => rest));
  });

  it('that was lost there shows it as owed again, with the reason', async () => {
    const backup = await completed();
    await copyThere(backup, 'ORD');
    await onCopy(backup, 'ORD', { type: 'LoseCopy', code: 'object-missing', reason: 'base.tar.zst is missing' });
    expect(await copiesOf(dfw, backup)).toMatchObject([
      {
        status: 'PENDING',
        verified: false,
        locationRef: null,
        fault: { code: 'object-missing', message: 'base.tar.zst is missing' },
      },
    ]);
  });

  it('that waits says why, since when, and when it is tried again at the latest', async () => {
    const backup = await completed();
    await copy(dfw, backup, 'ORD');
    const id = copyId(backup, 'ORD');
    const fails = async (attempt: number, code: string) => {
      const reason = 'The vault of ORD is away.';
      const retryAt = '2026-11-24T00:00:05.000Z';
      await onCopy(
        backup,
        'ORD',
        { type: 'StartCopy', copyId: id, attempt, replicator: 'spec' },
        { type: 'FailCopyAttempt', copyId: id, attempt, code, reason, retryAt },
      );
    };
    await fails(1, 'vault-unavailable');
    const [first] = await copiesOf(dfw, backup);
    expect(first?.fault).toMatchObject({ code: 'vault-unavailable', message: 'The vault of ORD is away.' });
    await fails(2, 'vault-unavailable');
    // The job was put off meanwhile, without an event.
    const readyAt = new Date(Date.now() + 3_600_000);
    const client = new pg.Client({ connectionString: dfw.database.url });
    await client.connect();
    await client.query('update job set ready_at = $2 where id = $1', [id, readyAt]);
    await client.end();
    const [second] = await copiesOf(dfw, backup);
    expect(second).toMatchObject({ status: 'PENDING', fault: { since: first?.fault?.since }, waits_for: null });
    expect(second?.retry_at).toBe(readyAt.toISOString());
    await fails(3, 'object-unreadable');
    const [third] = await copiesOf(dfw, backup);
    expect(third?.fault?.code).toBe('object-unreadable');
    expect(third?.fault?.since).not.toBe(first?.fault?.since);
  });

  it('that nobody can plan or make because something of it can not be read says so, and what came before', async () => {
    const backup = await completed({ copy_to: ['IAD', 'ORD'] });
    await copyThere(backup, 'IAD');
    const id = copyId(backup, 'ORD');
    const aside = (kind: string, of: string) =>
      dfw.sql(
        `insert into set_aside (kind, id, account_id, reason) values ('${kind}', '${of}', null, 'event 7 is damaged')`,
      );
    await aside('job', `plan/${backup}`);
    const [made, owed] = await copiesOf(dfw, backup);
    expect([made?.fault, owed?.fault]).toMatchObject([
      null,
      { code: 'set-aside', message: expect.stringContaining('event 7 is damaged'), since: null },
    ]);
    await copy(dfw, backup, 'ORD');
    expect((await copiesOf(dfw, backup))[1]?.fault).toBeNull();
    const attempt = { copyId: id, attempt: 1 };
    const failed = { code: 'vault-unavailable', reason: 'ORD is away.', retryAt: startedAt };
    const start = { type: 'StartCopy', ...attempt, replicator: 'spec' } as const;
    await onCopy(backup, 'ORD', start, { type: 'FailCopyAttempt', ...attempt, ...failed });
    await aside('job', `copy/${id}`);
    expect((await copiesOf(dfw, backup))[1]?.fault).toMatchObject({
      code: 'set-aside',
      message: expect.stringMatching(/^ORD is away\. .*event 7 is damaged/),
    });
  });

  it('of a backup that is built on another says that it waits for the copy of that one', async () => {
    const instance = await dfw.register();
    const parent = await dfw.backup(instance);
    await dfw.run(parent, instance, 'completed');
    const child = await dfw.backup(instance, { incremental: 1 });
    await dfw.run(child, instance, 'completed');
    for (const each of [parent, child]) {
      const backup = fold(backupDecider, await dfw.ledger.readStream(`backup-${each}`));
      if (backup.is !== 'completed') throw new Error('the backup has not completed');
      await onCopy(each, 'ORD', { type: 'RequestCopy', request: copyRequest(backup.completed, 'ORD') });
    }
    expect(await copiesOf(dfw, child)).toMatchObject([{ status: 'PENDING', waits_for: parent }]);
    expect(await copiesOf(dfw, parent)).toMatchObject([{ status: 'PENDING', waits_for: null }]);
    const done = { location: 'backups/there', sizeBytes: 1, sha256: 'a'.repeat(64), startedAt };
    const attempt = { copyId: copyId(parent, 'ORD'), attempt: 1 };
    await onCopy(
      parent,
      'ORD',
      { type: 'StartCopy', ...attempt, replicator: 'spec' },
      { type: 'CompleteCopy', ...attempt, ...done },
    );
    expect(await copiesOf(dfw, child)).toMatchObject([{ status: 'PENDING', waits_for: null }]);
  });

  it('that is being deleted is shown to nobody', async () => {
    const backup = await completed();
    await copyThere(backup, 'ORD');
    await onCopy(backup, 'ORD', { type: 'RequestCopyDeletion' });
    expect(await copiesOf(dfw, backup)).toEqual([]);
  });

  it('which was made before the home region was moved goes to what is the home region now, and to every other', async () => {
    const backup = await completed();
    for (const region of ['IAD', 'ORD', 'DFW']) expect((await copy(iad, backup, region)).status).toBe(202);
    expect(faultOf(await copy(iad, backup, 'HKG'))).toEqual([
      400,
      'copy-backup.target_backup_region: "HKG" is no region of this deployment. Allowed: IAD, DFW, ORD.',
    ]);
  });
});

describe('a schedule that was made before the home region was moved', () => {
  const scheduled = async () => dfw.schedule(await dfw.register(), { copy_to: ['IAD', 'ORD'] });

  it('can be changed and run, and can keep its regions, also when they are sent along', async () => {
    const schedule = await scheduled();
    expect((await change(iad, schedule, { hour: 5 })).status).toBe(202);
    expect((await change(iad, schedule, { hour: 6, copy_to: 'ORD,IAD' })).status).toBe(202);
    expect((await change(iad, schedule, { copy_to: ['IAD', 'ORD'], run_now: true })).status).toBe(202);
    expect((await iad.call(getSchedulesId, { id: schedule })).body).toMatchObject({
      schedule: { hour: 6, running: 1 },
    });
  });

  it('takes regions that are right now, and no other list with the home region', async () => {
    const schedule = await scheduled();
    expect(faultOf(await change(iad, schedule, { copy_to: ['IAD'] }))).toEqual([
      400,
      'schedule.copy_to: "IAD" is the home region, where the backup is made. Allowed: DFW, ORD.',
    ]);
    expect((await change(iad, schedule, { copy_to: ['DFW', 'ORD'] })).status).toBe(202);
    expect(faultOf(await change(iad, schedule, { copy_to: ['IAD', 'ORD'] }))[0]).toBe(400);
  });

  it('owes no copy to the region where its backups are made', async () => {
    const schedule = await scheduled();
    expect((await change(iad, schedule, { run_now: true })).status).toBe(202);
    const { body } = await iad.call(getBackups, { query: { limit: 1 } });
    expect(body).toMatchObject({
      backups: [{ schedule_id: schedule, copies: [{ region: 'ORD', status: 'PENDING' }] }],
    });
  });
});

describe('an incremental backup', () => {
  it('is copied to a region where its parent was made, because that region holds it', async () => {
    const instance = await dfw.register();
    const parent = await dfw.backup(instance);
    await dfw.run(parent, instance, 'completed');
    const child = await dfw.backup(instance, { parent_id: parent });
    await dfw.run(child, instance, 'completed');
    expect((await copy(iad, child, 'DFW')).status).toBe(202);
    expect(faultOf(await copy(iad, child, 'ORD'))[0]).toBe(400);
    await copyThere(parent, 'ORD');
    expect((await copy(iad, child, 'ORD')).status).toBe(202);
  });

  it('is not, where its parent is known to be lost', async () => {
    const instance = await dfw.register();
    const parent = await dfw.backup(instance);
    await dfw.run(parent, instance, 'completed');
    await copyThere(parent, 'ORD');
    const child = await dfw.backup(instance, { parent_id: parent });
    await dfw.run(child, instance, 'completed');
    expect((await copy(dfw, parent, 'DFW')).status).toBe(202);
    expect(faultOf(await copy(dfw, child, 'DFW'))[0]).toBe(400);
  });
});
