import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { streamOf } from '@strongroom/contracts';
import { Ledger } from '@strongroom/ledger';
import type { DataSource } from 'typeorm';
import { createTestDatabase, openDataSource, type TestDatabase } from '../../../test/services/database.js';
import { runStrongroom } from '../../../test/services/run-strongroom.js';
import { giveServicesRoles, urlOfService } from '../../../test/services/service-roles.js';

let database: TestDatabase;
let dataSource: DataSource;
let folder: string;
let heads: string;
beforeAll(async () => {
  database = await createTestDatabase();
  await giveServicesRoles(database.url);
  dataSource = await openDataSource({ url: database.url, applicationName: 'ledger-command-spec' });
  folder = mkdtempSync(join(tmpdir(), 'strongroom-ledger-'));
  heads = join(folder, 'heads');
});
afterAll(async () => {
  await dataSource.destroy();
  await database.drop();
  rmSync(folder, { recursive: true });
});

async function append(): Promise<void> {
  const [scheduleId, instanceId] = [randomUUID(), randomUUID()];
  const context = { requestId: 'r', correlationId: 'r', causationId: null, actor: 'spec' };
  const event = { id: randomUUID(), type: 'ScheduleDeleted' as const, data: { scheduleId, instanceId } };
  const of = { stream: streamOf('schedule', scheduleId), expectedVersion: 0, accountId: 'acme', instanceId, context };
  await new Ledger(dataSource).append({ ...of, events: [event], claims: [], releases: [] });
}
const verify = (...args: string[]) =>
  runStrongroom(['ledger', 'verify', ...args], { STRONGROOM_DATABASE_URL: urlOfService(database.url, 'replicator') });

describe('strongroom ledger verify', () => {
  it('says that the ledger is whole, keeps its heads, and tells where it is not as it was', async () => {
    for (let count = 0; count < 5; count += 1) await append();
    const first = await verify('--export', heads);
    expect(first).toMatchObject({ code: 0, stdout: expect.stringContaining('The ledger is whole: 5 events') });
    await append();
    expect((await verify('--export', heads, '--against', heads)).stdout).toContain('every one of 1 earlier heads');
    expect(readFileSync(heads, 'utf8').trim().split('\n')).toHaveLength(2);
    const daily = ['--against', heads, '--only-new'];
    expect((await verify(...daily)).stdout).toContain('The ledger is whole: 6 events');
    expect(await verify('--only-new')).toMatchObject({ code: 2, output: expect.stringContaining('needs --against') });

    await dataSource.query('alter table ledger_event disable trigger user');
    await dataSource.query(`update ledger_event set account_id = 'forger' where position = 3`);
    const { code, stdout } = await verify('--json', '--export', heads);
    expect([code, JSON.parse(stdout)]).toEqual([
      13,
      expect.objectContaining({ broken: expect.objectContaining({ position: 3, why: 'changed' }) }),
    ]);
    expect(readFileSync(heads, 'utf8').trim().split('\n')).toHaveLength(2);
  });

  it('refuses a file that has no heads', async () => {
    const path = join(folder, 'no-heads');
    writeFileSync(path, 'nothing\n');
    const { code, output } = await verify('--against', path);
    expect(code).toBe(2);
    expect(output).toContain('has no heads of a ledger');
  });
});
