import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { explainedOfSchedules } from '@strongroom/domain';
import { RandomIds } from '@strongroom/runtime';
import { ledgerReads } from '../../../test/services/ledger-reads.js';
import { type OwnLedger, openOwnLedger } from '../../../test/services/own-ledger.js';
import { ExplainingEvents } from './explaining-events.js';

const ids = new RandomIds();
const context = { requestId: 'spec', correlationId: 'spec', causationId: null, actor: 'spec' };
const asOf = undefined;
const before = undefined;

let own: OwnLedger;
let events: ExplainingEvents;
beforeAll(async () => {
  own = await openOwnLedger();
  events = new ExplainingEvents(own.dataSource);
});
afterAll(() => own.close());

/** Slots of a schedule that were skipped, all in one stream, which only a test does. @returns the stream */
async function skip(scheduleId: string, count: number) {
  const instanceId = ids.next();
  const stream = `backup-${ids.next()}` as const;
  const data = { scheduleId, instanceId, slotAt: '2026-11-23T14:30:00.000Z', reason: 'The schedule was paused.' };
  const outcome = await own.ledger.append({
    ...{ stream, expectedVersion: 0, accountId: 'acme', instanceId, context, claims: [], releases: [] },
    events: Array.from({ length: count }, () => ({ id: ids.next(), type: 'SlotSkipped' as const, data })),
  });
  expect(outcome.outcome).toBe('appended');
  return stream;
}

/** How many rows of the ledger the database has looked at meanwhile. */
async function lookedAt(read: (events: ExplainingEvents) => Promise<unknown>): Promise<number> {
  return (await ledgerReads(own.dataSource, (session) => read(new ExplainingEvents(session)))).rows;
}

describe('what explains a schedule', () => {
  it('is read along its own part of an index, from any time and any place, with statistics and without', async () => {
    const [large, small] = [ids.next(), ids.next()];
    const stream = await skip(large, 4_000);
    await skip(small, 3);
    const [last] = await events.ofSchedule(large, { asOf, before, limit: 1 });
    const then = new Date(last?.at ?? '');
    await skip(large, 4_000);
    for (const statistics of ['none', 'all']) {
      if (statistics === 'all') await own.dataSource.query('analyze ledger_event');
      const look = { limit: 100 };
      const looked = [
        await lookedAt((each) => each.ofSchedule(large, { ...look, asOf, before })),
        await lookedAt((each) => each.ofSchedule(large, { ...look, asOf: then, before })),
        await lookedAt((each) =>
          each.ofSchedule(large, { ...look, asOf, before: { at: then, position: last?.position ?? 0 } }),
        ),
        await lookedAt((each) => each.ofSchedule(small, { ...look, asOf, before })),
      ];
      // The first rows are there, and no others were looked at.
      expect([statistics, looked]).toEqual([statistics, [100, 100, 100, 3]]);
      const ofStreams = await lookedAt((each) => each.newestOfTypes([`schedule-${small}`, `backup-${small}`], asOf));
      expect(ofStreams).toBe(0);
    }
    // Of a stream, its first events are looked at and those that are given, and no others.
    expect(await lookedAt((each) => each.ofStreams([stream], { asOf, before, limit: 5 }))).toBe(32 + 5);
    expect(await events.newestOfTypes([stream], asOf)).toMatchObject([{ type: 'SlotSkipped', version: 4_000 }]);
  }, 120_000);

  it('goes on before an event, and leaves none out and tells none twice', async () => {
    const scheduleId = ids.next();
    await skip(scheduleId, 7);
    const found: number[] = [];
    for (let from: { at: Date; position: number } | undefined; ; ) {
      const page = await events.ofSchedule(scheduleId, { asOf, before: from, limit: 3 });
      found.push(...page.map(({ version }) => version));
      const last = page.at(-1);
      if (!last || page.length < 3) break;
      from = await events.placeOf('acme', last.id);
      expect(await events.placeOf('other', last.id)).toBeUndefined();
    }
    expect(found).toEqual([7, 6, 5, 4, 3, 2, 1]);
  });

  it('has where a pause begins and its last reason, and nothing of the pauses before it', async () => {
    const [scheduleId, instanceId] = [ids.next(), ids.next()];
    const stream = `schedule-${scheduleId}` as const;
    const times: string[] = [];
    const say = async (paused: boolean, reason?: string) => {
      const type = times.length === 0 ? ('ScheduleCreated' as const) : ('ScheduleUpdated' as const);
      const timing = { dayOfWeek: 7, hour: times.length, minute: 0, fullBackupRetention: 2, copyTo: [], paused };
      const outcome = await own.ledger.append({
        ...{ stream, expectedVersion: times.length, accountId: 'acme', instanceId, claims: [], releases: [] },
        context: { ...context, ...(reason !== undefined && { reason }) },
        events: [{ id: ids.next(), type, data: { scheduleId, instanceId, ...timing } }],
      });
      expect(outcome.outcome).toBe('appended');
      times.push((await own.ledger.readStream(stream)).at(-1)?.at ?? '');
    };
    const pause = async (then?: Date) => (await events.pauseOf(stream, then)).map(({ version }) => version);
    await say(true, 'made so');
    expect(await pause()).toEqual([1]);
    await say(false);
    expect(await pause()).toEqual([]);
    for (const reason of [undefined, 'disks', 'fans', undefined]) await say(true, reason);
    expect(await pause()).toEqual([3, 5]);
    await say(false);
    await say(true);
    await say(true);
    expect(await pause()).toEqual([8]);
    expect(await pause(new Date(times[3] ?? ''))).toEqual([3, 4]);
  });

  it('has the types that the index has, and the function that reads it', async () => {
    const rows: { text: string }[] = await own.dataSource.query(
      `select pg_get_indexdef('ledger_event_of_schedule'::regclass) as text
       union all select pg_get_functiondef('ledger_page_of_schedule'::regproc)`,
    );
    const types = rows.map(({ text }) => [...text.matchAll(/'([A-Z][a-z]+[A-Z]\w+)'/g)].map(([, type]) => type).sort());
    const all = [...explainedOfSchedules].sort();
    expect(types).toEqual([all, all]);
  });
});
