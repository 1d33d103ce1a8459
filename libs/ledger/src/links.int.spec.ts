import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type StreamName, streamOf } from '@strongroom/contracts';
import { createDataSource, migrate } from '@strongroom/database';
import type { DataSource } from 'typeorm';
import { createTestDatabase, type TestDatabase } from '../../../test/services/database.js';
import { Ledger } from './ledger.js';
import { type LedgerHead, verifyLinks } from './links.js';

let database: TestDatabase;
let dataSource: DataSource;
let ledger: Ledger;
beforeEach(async () => {
  database = await createTestDatabase();
  dataSource = await createDataSource({ url: database.url, applicationName: 'links-spec' }).initialize();
  await migrate(dataSource);
  ledger = new Ledger(dataSource);
});
afterEach(async () => {
  await dataSource.destroy();
  await database.drop();
});

const context = { requestId: 'r', correlationId: 'r', causationId: null, actor: 'spec' };
function requestOf(events = 1, stream: StreamName = streamOf('schedule', randomUUID()), expectedVersion = 0) {
  const instanceId = '6f1c2b0a-0000-4000-8000-000000000001';
  const one = () => ({
    id: randomUUID(),
    type: 'ScheduleDeleted' as const,
    data: { scheduleId: randomUUID(), instanceId },
  });
  return {
    ...{ stream, expectedVersion, accountId: 'acme', instanceId, context, claims: [], releases: [] },
    events: Array.from({ length: events }, one),
  };
}
const verify = (...heads: LedgerHead[]) => verifyLinks(dataSource, { heads });
const last = async (): Promise<number> => ledger.head();

/** Runs a statement as somebody does who owns the table. */
async function tamper(sql: string, values: unknown[] = []): Promise<void> {
  await dataSource.query('alter table ledger_event disable trigger user');
  await dataSource.query(sql, values);
  await dataSource.query('alter table ledger_event enable trigger user');
}

/** Puts in an event past ledger_append: at a position, with the link of the first event or without one. */
const another = `insert into ledger_event (position, id, stream, version, aggregate, type, account_id, instance_id, at, data, context, link)
  overriding system value
  select $1, gen_random_uuid(), 'schedule-' || gen_random_uuid(), 1, aggregate, type, account_id, instance_id, at, data, context,
    case when $2 then link end from ledger_event order by position limit 1`;

/** Appends in every way that there is. */
async function fill(): Promise<void> {
  await Promise.all(Array.from({ length: 20 }, (_, index) => ledger.append(requestOf(1 + (index % 3)))));
  await ledger.appendTogether([requestOf(2), requestOf(3)]);
  await dataSource.transaction((manager) => ledger.appendWithin(manager, [requestOf(2), requestOf(1)]));
}

describe('the links of the ledger', () => {
  it('are whole, however events were appended, and grow with each of them', async () => {
    expect(await verify()).toMatchObject({ head: { position: 0, events: 0 }, unlinked: 0, broken: undefined });
    await fill();
    const first = await verify();
    expect(first).toMatchObject({ unlinked: 0, broken: undefined, head: { position: await last() } });
    const told: number[] = [];
    await verifyLinks(dataSource, { progress: (position) => void told.push(position) });
    expect(told.at(-1)).toBe(await last());
    await ledger.append(requestOf());
    const second = await verify(first.head);
    expect(second.broken).toBeUndefined();
    expect(second.head.events).toBe(first.head.events + 1);
    expect(second.head.link).not.toBe(first.head.link);
  });

  it('are whole when many processes append at once, and when appends are refused between', async () => {
    const another = await createDataSource({ url: database.url, applicationName: 'links-spec-2' }).initialize();
    try {
      const ledgers = [ledger, new Ledger(another)];
      const taken = streamOf('schedule', randomUUID());
      await ledger.append(requestOf(1, taken));
      const rounds = Array.from({ length: 60 }, (_, index) =>
        ledgers[index % 2]?.append(index % 5 === 0 ? requestOf(1, taken) : requestOf(2)),
      );
      const outcomes = await Promise.all(rounds);
      expect(outcomes.filter((each) => each?.outcome === 'conflict')).toHaveLength(12);
      expect(await verify()).toMatchObject({ broken: undefined, head: { events: 1 + 48 * 2 } });
    } finally {
      await another.destroy();
    }
  });

  it.each(['repeatable read', 'serializable'])(
    'are whole though somebody appends in a transaction that began before other appends (%s)',
    async (isolation) => {
      const run = dataSource.createQueryRunner();
      try {
        await run.query(`begin isolation level ${isolation}`);
        await run.query('select from ledger_event');
        await ledger.append(requestOf(2));
        const late = ledger.appendWithin(run.manager, [requestOf()]);
        await expect(late).rejects.toMatchObject({ code: '25000', message: expect.stringContaining('READ COMMITTED') });
        await run.query('rollback');
      } finally {
        await run.release();
      }
      expect(await verify()).toMatchObject({ broken: undefined, head: { events: 2 } });
    },
  );

  const changes: [string, string][] = [
    [
      'data',
      `update ledger_event set data = data || '{"scheduleId":"00000000-0000-4000-8000-000000000000"}' where position = $1`,
    ],
    ['account', `update ledger_event set account_id = 'forger' where position = $1`],
    ['instance', 'update ledger_event set instance_id = gen_random_uuid() where position = $1'],
    ['time', `update ledger_event set at = at - interval '1 ms' where position = $1`],
    [
      'era',
      `update ledger_event set at = (to_char(at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.MS') || '+00 BC')::timestamptz where position = $1`,
    ],
    ['microsecond', `update ledger_event set at = at + interval '1 microsecond' where position = $1`],
    ['actor', `update ledger_event set context = context || '{"actor":"somebody"}' where position = $1`],
    ['type', `update ledger_event set type = 'ScheduleCreated' where position = $1`],
    ['id', 'update ledger_event set id = gen_random_uuid() where position = $1'],
    ['link', 'update ledger_event set link = sha256(link) where position = $1'],
  ];
  it.each(changes)('tell the position of an event whose %s was changed', async (_, sql) => {
    await fill();
    const position = (await last()) - 5;
    await tamper(sql, [position]);
    expect((await verify()).broken).toMatchObject({
      position,
      why: 'changed',
      reason: expect.stringContaining(String(position)),
    });
  });

  it('tell where an event was removed', async () => {
    await fill();
    const position = (await last()) - 5;
    await tamper('delete from ledger_event where position = $1', [position]);
    expect((await verify()).broken).toMatchObject({ position: position + 1, why: 'changed' });
  });

  it('tell where an event was put in past ledger_append', async () => {
    await fill();
    const position = (await last()) + 1;
    const columns = 'id, stream, version, aggregate, type, account_id, instance_id, at, data, context';
    await dataSource.query(
      `insert into ledger_event (${columns}) select gen_random_uuid(), stream || 'x', ${columns.split(', ').slice(2).join(', ')}
       from ledger_event order by position limit 1`,
    );
    await ledger.append(requestOf());
    expect((await verify()).broken).toMatchObject({ position, why: 'not-linked' });
  });

  it.each([
    [0, false],
    [-3, true],
  ])('tell an event that was put before the first one, at position %i', async (position, isLinked) => {
    await fill();
    await dataSource.query(another, [position, isLinked]);
    expect((await verify()).broken).toMatchObject({ position, why: 'changed' });
  });

  it('tell a second event at a position, wherever that is', async () => {
    await dataSource.transaction(async (manager) => {
      for (let count = 0; count < 5; count += 1) await ledger.appendWithin(manager, [requestOf(400)]);
    });
    await ledger.append(requestOf());
    await dataSource.query('drop index ledger_event_in_order');
    // A page of events ends there.
    await dataSource.query(another, [2_000, true]);
    expect((await verify()).broken).toMatchObject({ position: 2_000, why: 'changed' });
  });

  it('tell that two events were exchanged', async () => {
    await fill();
    const position = (await last()) - 5;
    await tamper(
      `update ledger_event e set data = o.data from ledger_event o
       where (e.position = $1 and o.position = $1 + 1) or (e.position = $1 + 1 and o.position = $1)`,
      [position],
    );
    expect((await verify()).broken).toMatchObject({ position, why: 'changed' });
  });
});

describe('an earlier head', () => {
  it('shows that the end of the ledger was removed', async () => {
    await fill();
    const { head } = await verify();
    await tamper('delete from ledger_event where position > $1', [head.position - 2]);
    expect((await verify()).broken).toBeUndefined();
    expect((await verify(head)).broken).toMatchObject({ position: head.position - 2, why: 'ends-earlier' });
  });

  it('is found among many, and the first that is not as it was is told', async () => {
    const heads: LedgerHead[] = [(await verify()).head];
    for (let count = 0; count < 5; count += 1) {
      await ledger.append(requestOf(2));
      heads.push((await verify(...heads)).head);
    }
    const shuffled = heads.flatMap((head) => [head, head]).reverse();
    expect((await verify(...shuffled)).broken).toBeUndefined();
    const [other] = heads.slice(3);
    const forged = { ...other, link: '0'.repeat(64) } as LedgerHead;
    expect((await verify(...shuffled, forged)).broken).toMatchObject({
      position: other?.position,
      why: 'not-as-before',
    });
    const between = { ...forged, position: (other?.position ?? 0) - 1, events: 5 };
    expect((await verify(...shuffled, between)).broken).toMatchObject({ position: between.position });
  });

  it.each(['first', 'last'])(
    'shows that the %s event was removed, and all that are left were linked anew',
    async (which) => {
      await fill();
      const { head } = await verify();
      const position = which === 'first' ? 1 : head.position;
      await tamper('delete from ledger_event where position = $1', [position]);
      await tamper('update ledger_event set link = null');
      expect((await verify()).broken).toBeUndefined();
      expect((await verify(head)).broken).toMatchObject(
        which === 'first' ? { position: head.position, why: 'not-as-before' } : { why: 'ends-earlier' },
      );
    },
  );

  it('lets what came after it be verified alone', async () => {
    const onlyNew = (...heads: LedgerHead[]) => verifyLinks(dataSource, { heads, onlyNew: true });
    await fill();
    const { head: older } = await onlyNew();
    await tamper('update ledger_event set link = null');
    const { head } = await verify(older);
    await ledger.append(requestOf(2));
    const next = await onlyNew(older, head);
    expect(next).toEqual(await verify(older, head));
    await ledger.append(requestOf(2));
    const last = await onlyNew(older, head, next.head);
    expect(last.broken).toBeUndefined();
    expect(last.head).toEqual((await verify()).head);
    await tamper(`update ledger_event set account_id = 'forger' where position = $1`, [last.head.position - 1]);
    expect((await onlyNew(next.head)).broken).toMatchObject({ position: last.head.position - 1, why: 'changed' });
    expect((await onlyNew(last.head)).broken).toBeUndefined();
    await tamper('delete from ledger_event where position = $1', [last.head.position]);
    expect((await onlyNew(last.head)).broken).toMatchObject({ position: last.head.position, why: 'not-as-before' });
  });

  it('shows a change before it though the links were taken away, and only what came after it was to be verified', async () => {
    await fill();
    const { head } = await verify();
    await tamper('update ledger_event set link = null');
    await tamper(`update ledger_event set account_id = 'forger' where position = 2`);
    const verified = await verifyLinks(dataSource, { heads: [head], onlyNew: true });
    expect(verified.broken).toMatchObject({ position: head.position, why: 'not-as-before' });
  });

  it('shows that its own event has another link, when only what came after it was to be verified', async () => {
    await fill();
    const { head } = await verify();
    await tamper('update ledger_event set link = sha256(link) where position = $1', [head.position]);
    const verified = await verifyLinks(dataSource, { heads: [head], onlyNew: true });
    expect(verified.broken).toMatchObject({ position: head.position, why: 'not-as-before' });
  });

  it('shows that its event was removed from between others, and all that are left have no link', async () => {
    await fill();
    const { head } = await verify();
    await ledger.append(requestOf(2));
    await tamper('delete from ledger_event where position = $1', [head.position]);
    await tamper('update ledger_event set link = null');
    expect((await verify()).broken).toBeUndefined();
    expect((await verify(head)).broken).toMatchObject({ position: head.position, why: 'not-as-before' });
  });

  it('shows a second event at its position, put in by somebody who could', async () => {
    await fill();
    const { head } = await verify();
    await dataSource.query('drop index ledger_event_in_order');
    await dataSource.query(another, [head.position, true]);
    const verified = await verifyLinks(dataSource, { heads: [head], onlyNew: true });
    expect(verified.broken).toMatchObject({ position: head.position });
  });

  it('shows that the links were computed anew after a change', async () => {
    await fill();
    const { head } = await verify();
    await ledger.append(requestOf());
    // As the owner of the database may do it: everything from some event on is recorded again, with other links.
    await tamper('delete from ledger_event where position >= $1', [head.position - 2]);
    await dataSource.query(`select setval(pg_get_serial_sequence('ledger_event', 'position'), $1)`, [
      head.position - 3,
    ]);
    for (let count = 0; count < 4; count += 1) await ledger.append(requestOf());
    expect((await verify()).broken).toBeUndefined();
    expect((await verify(head)).broken).toMatchObject({ position: head.position, why: 'not-as-before' });
  });
});

describe('events of older versions, which have no link', () => {
  it('are counted, and an earlier head shows that one was changed', async () => {
    await fill();
    await tamper('update ledger_event set link = null');
    const position = await last();
    const before = await verify();
    expect(before).toMatchObject({ broken: undefined, unlinked: before.head.events });
    await ledger.append(requestOf(3));
    const { head, unlinked, broken } = await verify(before.head);
    expect([unlinked, broken, head.events]).toEqual([before.head.events, undefined, before.head.events + 3]);
    await tamper(`update ledger_event set account_id = 'forger' where position = $1`, [position - 3]);
    expect((await verify()).broken).toBeUndefined();
    expect((await verify(before.head)).broken).toMatchObject({ position, why: 'not-as-before' });
    expect((await verify(head)).broken).toMatchObject({ position: head.position, why: 'not-as-before' });
  });
});
