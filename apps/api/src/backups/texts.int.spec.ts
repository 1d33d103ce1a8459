import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { backupResponse, backupsResponse, getBackups, getBackupsId } from '@strongroom/contracts';
import { RandomIds } from '@strongroom/runtime';
import { DataSource } from 'typeorm';
import { randomOf } from '../../../../test/vaults/turns.js';
import { accountId, Gateway } from '../../fixtures/gateway.js';

const ids = new RandomIds();
const rows = 120;
const day = 86_400_000;

let gateway: Gateway;
beforeAll(async () => {
  gateway = await Gateway.open({
    env: { STRONGROOM_PAGE_LIMITS: `backups=${rows + 1}`, STRONGROOM_MINIMUM_RETENTION_DAYS: '30' },
  });
});
afterAll(() => gateway.close());

const quoted = (value: unknown) => (value === null ? 'null' : `'${String(value).replaceAll("'", "''")}'`);

/** Rows as no fold would make them all: most of them complete, with what a backup may have besides here and there. */
async function fillAtRandom(seed: number): Promise<void> {
  const random = randomOf(seed);
  const upTo = (most: number) => Math.floor(random() * (most + 1));
  const one = <T>(values: readonly [T, ...T[]]): T => values[upTo(values.length - 1)] ?? values[0];
  const mostly = <T>(usual: T, other: T): T => (random() < 0.92 ? usual : other);
  const at = () => new Date(Date.UTC(2026, 10, 24) - upTo(10 * day)).toISOString();
  const json = (value: object | unknown[]) => JSON.stringify(value);
  for (let n = 0; n < rows; n += 1) {
    const [id, parent] = [ids.next(), ids.next()];
    const status = mostly('COMPLETED', one(['NEW', 'BUILDING', 'FAILED', 'DELETE_FAILED', 'DELETING', 'COMPLETED']));
    const isOver = status === 'COMPLETED' || status === 'DELETE_FAILED';
    const copyTo = one([[], ['IAD'], ['IAD', 'ORD']]);
    const fault = { code: 'server-unreachable', reason: 'It says "no".' };
    const attempts = json([{ attempt: 1, at: at(), retryAt: at(), ...fault }]);
    const delays = json([{ at: at(), delayMs: 1_500, ground: 'g', reason: 'r' }]);
    const values: Record<string, unknown> = {
      id,
      account_id: accountId,
      instance_id: ids.next(),
      schedule_id: one([null, ids.next()]),
      slot_at: null,
      trigger: one(['slot', 'run-now', 'request', 'catalogued']),
      type: one(['full', 'incremental']),
      parent_id: one([null, parent]),
      name: one(['nightly', 'a "name" \\ with\nsigns', 'Überblick \u2028 🗄️']),
      description: one([null, 'before the upgrade\t1']),
      datastore_type: 'postgresql',
      datastore_version: one(['18', '17.7', '15']),
      copy_to: `{${copyTo.join(',')}}`,
      status,
      attempt: upTo(3),
      region: isOver ? 'DFW' : null,
      location: isOver ? `backups/${id}` : null,
      size_bytes: isOver ? one([0, 1, 999, 5_000_000_000, 123_456_789_012_345, upTo(2 ** 40)]) : null,
      raw_bytes: 1,
      sha256: isOver ? 'a'.repeat(64) : null,
      fault: status === 'DELETE_FAILED' || status === 'FAILED' ? json(fault) : null,
      created_at: at(),
      started_at: one([null, at()]),
      ended_at: isOver ? at() : null,
      updated_at: at(),
      version: 1 + upTo(8),
      made_full: mostly(null, json({ plannedParentId: null, ground: 'no-parent', reason: 'r' })),
      lineage: one([null, ids.next()]),
      facts: mostly(null, one([json({}), json({ warnings: [{ said: 'a file was left out' }] })])),
      another_server: mostly(null, json({ formerLineage: parent, formerBackupId: parent, reason: 'r' })),
      position: n,
      failed_attempts: mostly('[]', attempts),
      delays: mostly('[]', delays),
      retry_at: mostly(null, at()),
      put_off: mostly(null, json({ at: at(), ground: 'hold', reason: 'r', waitsFor: [] })),
      hold: mostly(null, json({ at: at(), by: 'admin', reason: 'case' })),
    };
    const [columns, given] = [Object.keys(values).join(', '), Object.values(values).map(quoted).join(', ')];
    await gateway.sql(`insert into backup_view (${columns}) values (${given})`);
    for (const region of ['DFW', 'IAD', 'ORD', 'SYD']) {
      const isThere = copyTo.some((each) => each === region) ? random() < 0.97 : random() < 0.03;
      if (!isThere) continue;
      const copyStatus = mostly('COMPLETED', one(['PENDING', 'COPYING', 'FAILED', 'DELETING']));
      const ended = copyStatus === 'COMPLETED' ? quoted(at()) : 'null';
      await gateway.sql(
        `insert into copy_view (id, account_id, instance_id, backup_id, region, source_region, status, attempt, size_bytes, sha256, location,
           fault, created_at, owed_at, started_at, ended_at, updated_at, version)
         values (gen_random_uuid(), '${accountId}', '${ids.next()}', '${id}', '${region}', 'DFW', '${copyStatus}', 1, ${upTo(2 ** 40)},
           '${'b'.repeat(64)}', ${quoted(one([`copies/${id}`, `copies/${id}`, null]))},
           ${quoted(mostly(null, json(fault)))}, '${at()}', '${at()}', '${at()}', ${ended}, '${at()}', 2)`,
      );
    }
  }
}

describe('backups that the database writes as text', () => {
  it('read the same as those that the gateway writes, at random', async () => {
    await fillAtRandom(Number(process.env.RANDOM_SEED ?? 1));
    const { backups } = backupsResponse.parse((await gateway.call(getBackups)).body);
    expect(backups.length).toBeGreaterThan(rows / 2);
    // One backup is always written by the gateway.
    for (const backup of backups) {
      const shown = backupResponse.parse((await gateway.call(getBackupsId, { id: backup.id })).body);
      expect(JSON.stringify(backup)).toBe(JSON.stringify(shown.backup));
    }
    const settled = await gateway.sql(
      `select count(*)::int as n from backup_view where status = 'COMPLETED' and hold is null`,
    );
    expect(settled).not.toEqual([{ n: 0 }]);
  });

  it('are the same page by page, and with every filter', async () => {
    const whole = await gateway.ids(getBackups);
    const paged: string[] = [];
    for await (const { backups } of gateway.client().pages(getBackups, { query: { limit: 7 } })) {
      paged.push(...backups.map(({ id }) => id));
    }
    expect(paged).toEqual(whole);
    const { backups } = backupsResponse.parse((await gateway.call(getBackups)).body);
    for (const status of ['COMPLETED', 'FAILED', 'BUILDING'] as const) {
      const wanted = backups.filter((each) => each.status === status).map(({ id }) => id);
      expect(await gateway.ids(getBackups, { query: { status, datastore: 'postgresql' } })).toEqual(wanted);
    }
    const [first] = backups;
    expect(await gateway.ids(getBackups, { query: { instance_id: first?.instance_id } })).toEqual([first?.id]);
  });

  it('are one statement to read, where there is no more to say of them', async () => {
    await gateway.sql(`delete from backup_view where status <> 'COMPLETED' or fault is not null or made_full is not null
      or another_server is not null or put_off is not null or hold is not null or facts is not null or retry_at is not null
      or failed_attempts <> '[]' or delays <> '[]'`);
    await gateway.sql(`update backup_view b set copy_to = '{}'`);
    await gateway.sql(
      `delete from copy_view where status <> 'COMPLETED' or fault is not null or location is null or region = 'DFW'`,
    );
    const statements = jest.spyOn(DataSource.prototype, 'createQueryRunner');
    expect((await gateway.ids(getBackups)).length).toBeGreaterThan(10);
    const before = statements.mock.calls.length;
    for (let n = 0; n < 20; n += 1) await gateway.call(getBackups);
    // The gateway's own work goes on beside them.
    expect(statements.mock.calls.length - before).toBeLessThan(40);
    statements.mockRestore();
  });
});
