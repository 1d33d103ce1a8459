import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import {
  getSchedules,
  getSchedulesId,
  pathOf,
  putSchedulesId,
  scheduleResponse,
  schedulesResponse,
} from '@strongroom/contracts';
import { FixedClock, RandomIds } from '@strongroom/runtime';
import { DataSource } from 'typeorm';
import { allOf } from '../../../../test/services/all-of.js';
import { randomOf } from '../../../../test/vaults/turns.js';
import { accountId, Gateway, otherAccountId } from '../../fixtures/gateway.js';

/** Not at a full second, so that what is cut off is seen. */
const now = new Date('2026-11-23T14:30:00.250Z');
const clock = new FixedClock(now);
const ids = new RandomIds();
const rows = 60;

let gateway: Gateway;
beforeAll(async () => {
  gateway = await Gateway.open({ clock });
});
afterAll(() => gateway.close());

/** The text of an answer, as it came. */
async function textOf(path: string): Promise<string> {
  const headers = { 'x-auth-token': gateway.tokenOf('admin') };
  const response = await fetch(`${gateway.url}${path}`, { headers });
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toBe('application/json; charset=utf-8');
  const text = await response.text();
  expect(response.headers.get('content-length')).toBe(String(Buffer.byteLength(text)));
  return text;
}

/** Rows as no fold would make them all: every field takes each value that its column may have. */
async function fillAtRandom(seed: number): Promise<string[]> {
  const random = randomOf(seed);
  const upTo = (most: number) => Math.floor(random() * (most + 1));
  const one = <T>(values: readonly [T, ...T[]]): T => values[upTo(values.length - 1)] ?? values[0];
  const at = () => new Date(now.getTime() - upTo(10) * 86_400_000 + upTo(86_400_000)).toISOString();
  const made: string[] = [];
  for (let n = 0; n < rows; n += 1) {
    const [id, instance] = [ids.next(), ids.next()];
    made.push(id);
    const [hour, minute] = one([
      [14, 30],
      [14, 29],
      [14, 31],
      [0, 0],
      [23, 59],
      [upTo(23), upTo(59)],
    ]);
    const copyTo = one(["'{}'", `'{"DFW"}'`, `'{"IAD","ORD"}'`]);
    const reason = one(['null', "'the disks'", `E'a "b" \\\\ \\n'`]);
    await gateway.sql(
      `insert into schedule_view values ('${id}', '${accountId}', '${instance}', ${upTo(7)}, ${hour}, ${minute}, ${1 + upTo(40)},
         ${copyTo}, ${random() < 0.3}, '${at()}', '${at()}', ${1 + upTo(9)}, ${reason})`,
    );
    for (let run = upTo(3); run > 0; run -= 1) {
      await gateway.sql(
        `insert into run_view (id, account_id, instance_id, schedule_id, outcome, created_at, version)
         values (gen_random_uuid(), '${accountId}', '${instance}', '${id}', '${one(['ran', 'skipped', 'missed'])}', '${at()}', 1)`,
      );
      await gateway.sql(
        `insert into backup_view (id, account_id, instance_id, schedule_id, trigger, type, name, datastore_type, datastore_version, copy_to,
           status, attempt, created_at, updated_at, version, position)
         values (gen_random_uuid(), '${accountId}', '${instance}', '${id}', 'slot', 'full', 'n', 'postgresql', '18', '{}',
           '${one(['NEW', 'BUILDING', 'COMPLETED', 'FAILED', 'MARKED'])}', 1, '${at()}', now(), 1, ${upTo(1_000_000)})`,
      );
    }
  }
  return made.sort();
}

describe('schedules that the database writes as text', () => {
  it('read the same as those that the gateway writes, at random', async () => {
    const made = await fillAtRandom(Number(process.env.RANDOM_SEED ?? 1));
    const list = pathOf(getSchedules, { accountId });
    const byDatabase = await textOf(list);
    const each = await Promise.all(made.map((id) => textOf(pathOf(getSchedulesId, { accountId, id }))));
    // One thing that is set aside has the gateway write the page that it is on.
    const [aside = ''] = made;
    await gateway.sql(
      `insert into set_aside (kind, id, account_id, reason) values ('schedule', '${aside}', '${accountId}', 'spec')`,
    );
    const byGateway = await textOf(list);
    expect(byGateway).toMatch(/"fault":\{"code":"set-aside"/);
    expect(byGateway.replace(/,"fault":\{[^}]*\}/, '')).toBe(byDatabase);
    const { schedules } = schedulesResponse.parse(JSON.parse(byDatabase));
    expect(schedules.map(({ id }) => id)).toEqual(made);
    expect(each).toEqual(schedules.map((schedule) => JSON.stringify({ schedule })));
    expect(new Set(schedules.map(({ running }) => running))).toEqual(new Set([0, 1]));
    const one = await textOf(pathOf(getSchedulesId, { accountId, id: aside }));
    expect(scheduleResponse.parse(JSON.parse(one)).schedule).toMatchObject({ id: aside, fault: { code: 'set-aside' } });
    await gateway.sql(`delete from set_aside where id = '${aside}'`);
  });

  it('are one statement to read, a page or one of them', async () => {
    const [id = ''] = await gateway.ids(getSchedules);
    const statements = jest.spyOn(DataSource.prototype, 'createQueryRunner');
    for (const read of [() => gateway.call(getSchedules), () => gateway.call(getSchedulesId, { id })]) {
      await read();
      const before = statements.mock.calls.length;
      for (let n = 0; n < 20; n += 1) await read();
      // The gateway's own work goes on beside them.
      expect(statements.mock.calls.length - before).toBeLessThan(40);
    }
    statements.mockRestore();
  });

  it('that many ask for at a time are few statements, and each gets the one that it asked for', async () => {
    const all = await gateway.ids(getSchedules);
    const strange = ids.next();
    const show = (id: string, as?: 'other') =>
      gateway.call(getSchedulesId, { id, ...(as && { as, account: otherAccountId }) });
    await show(strange);
    const statements = jest.spyOn(DataSource.prototype, 'createQueryRunner');
    const answers = await Promise.all([...all, strange].map((id) => show(id)));
    expect(statements.mock.calls.length).toBeLessThan(all.length);
    statements.mockRestore();
    expect(answers.pop()?.status).toBe(404);
    expect(answers.map(({ body }) => scheduleResponse.parse(body).schedule.id)).toEqual(all);
    const [own, ofAnother] = await Promise.all([show(all[0] ?? ''), show(all[0] ?? '', 'other')]);
    expect([own.status, ofAnother.status]).toEqual([200, 404]);
  });

  it('are of the account alone, and of the instances that a token reaches', async () => {
    expect(await gateway.ids(getSchedules, {})).toHaveLength(rows);
    expect(await textOf(`${pathOf(getSchedules, { accountId })}?instance_id=${ids.next()}`)).toBe(
      '{"schedules":[],"links":[]}',
    );
    expect((await gateway.call(getSchedules, { as: 'other', account: otherAccountId })).body).toEqual({
      schedules: [],
      links: [],
    });
  });
});

describe('a schedule', () => {
  const put = (id: string, schedule: object) => gateway.call(putSchedulesId, { id, body: { schedule } });
  const shown = (id: string) => gateway.client().schedules.get(id);

  it('says why it is paused as long as it is, and so do its events and the audit', async () => {
    const [wal, disks] = ['The WAL disk is full.', 'the "disks" are being moved\u2028'];
    const id = await gateway.schedule(await gateway.register());
    expect((await put(id, { pause_reason: wal })).status).toBe(400);
    expect((await put(id, { paused: true, pause_reason: 'x'.repeat(501) })).status).toBe(400);
    expect((await put(id, { paused: true, pause_reason: wal })).status).toBe(202);
    expect(await shown(id)).toMatchObject({ paused: true, pause_reason: wal });
    expect((await put(id, { paused: true, pause_reason: wal })).status).toBe(400);
    await put(id, { hour: 7 });
    expect(await shown(id)).toMatchObject({ hour: 7, pause_reason: wal });
    await put(id, { pause_reason: disks });
    expect(await shown(id)).toMatchObject({ paused: true, pause_reason: disks });
    const all = await allOf(gateway.client().schedules.list());
    expect(all.find((each) => each.id === id)).toMatchObject({ pause_reason: disks });
    await put(id, { paused: false });
    expect(await shown(id)).toMatchObject({ paused: false, pause_reason: null });
    const reasons = [null, wal, null, disks, null];
    const events = await allOf(gateway.client().events.list());
    expect(events.filter(({ subject }) => subject.id === id).map(({ reason }) => reason)).toEqual(reasons);
    const audit = await allOf(gateway.client().audit.list());
    expect(audit.filter(({ subject }) => subject?.id === id).map(({ reason }) => reason)).toEqual(reasons.slice(1));
    const body = {
      instance_id: await gateway.register(),
      day_of_week: 0,
      hour: 14,
      minute: 30,
      paused: true,
      pause_reason: wal,
    };
    const made = await gateway.client().schedules.create({ action: 'backup', ...body });
    expect(made).toMatchObject({ paused: true, pause_reason: wal, next_run: null });
    expect(await shown(made.id)).toEqual(made);
  });
});
