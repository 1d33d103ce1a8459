import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type NewEvent, type RecordedEvent, type StreamName, streamOf } from '@strongroom/contracts';
import { RandomIds } from '@strongroom/runtime';
import fc from 'fast-check';
import { forgeEvent } from '../../../test/services/forged-event.js';
import { ledgerReads } from '../../../test/services/ledger-reads.js';
import { type OwnLedger, openOwnLedger } from '../../../test/services/own-ledger.js';
import { type EventsAsked, ExplainingEvents } from './explaining-events.js';

const ids = new RandomIds();
const accountId = 'acme';
const minuteMs = 60_000;
const begin = Date.UTC(2026, 10, 1);
/** Streams with more events are long: the indexes of long streams have what comes after these. */
const first = 32;

let own: OwnLedger;
let events: ExplainingEvents;
beforeAll(async () => {
  own = await openOwnLedger();
  events = new ExplainingEvents(own.dataSource);
  // Rows that a vacuum has seen may be read from an index alone, and are not counted then.
  await own.dataSource.query('alter table ledger_event set (autovacuum_enabled = false)');
});
afterAll(() => own.close());

/** An event of a schedule, when it was recorded, and what was said to it. */
interface Said {
  isPaused: boolean;
  reason: string | undefined;
  at: Date;
}

/** Writes a schedule that was changed so. @returns its stream */
async function changed(all: readonly Said[]): Promise<StreamName> {
  const [scheduleId, instanceId] = [ids.next(), ids.next()];
  const stream = streamOf('schedule', scheduleId);
  for (const [place, { isPaused, reason, at }] of all.entries()) {
    const timing = { dayOfWeek: 7, hour: place % 24, minute: 0, fullBackupRetention: 2, copyTo: [] };
    const event: NewEvent = {
      type: place === 0 ? 'ScheduleCreated' : 'ScheduleUpdated',
      data: { scheduleId, instanceId, ...timing, paused: isPaused },
    };
    await forgeEvent(own.dataSource, { stream, accountId, instanceId, event, at, reason });
  }
  return stream;
}

/** Writes a backup that was held and let go so often. @returns its stream */
async function held(count: number): Promise<StreamName> {
  const [backupId, instanceId] = [ids.next(), ids.next()];
  const stream = streamOf('backup', backupId);
  for (let place = 0; place < count; place += 1) {
    const of = { backupId, instanceId, scheduleId: null };
    const event: NewEvent =
      place % 2 === 0
        ? { type: 'BackupHeld', data: { ...of, reason: 'The auditors want it.' } }
        : { type: 'BackupHoldLifted', data: of };
    await forgeEvent(own.dataSource, { stream, accountId, instanceId, event, at: timeOf(place) });
  }
  return stream;
}

interface Long {
  count: number;
  schedule: StreamName;
  backup: StreamName;
}

/** What each read costs. The first half of the events is before the middle, and a page has ten. */
async function costsOf({ count, schedule, backup }: Long) {
  const streams = [schedule, backup];
  const middle = timeOf(count / 2);
  const page = { asOf: undefined, before: undefined, limit: 10 };
  const before = { at: middle, position: Number.MAX_SAFE_INTEGER };
  const of = (read: (reading: ExplainingEvents) => Promise<unknown>) =>
    ledgerReads(own.dataSource, (session) => read(new ExplainingEvents(session)));
  return {
    newest: await of((reading) => reading.newestOfTypes(streams, undefined)),
    newestThen: await of((reading) => reading.newestOfTypes(streams, middle)),
    pause: await of((reading) => reading.pauseOf(schedule, undefined)),
    pauseThen: await of((reading) => reading.pauseOf(schedule, timeOf(count - 3))),
    page: await of((reading) => reading.ofStreams(streams, page)),
    pageThen: await of((reading) => reading.ofStreams(streams, { ...page, asOf: middle })),
    pageBefore: await of((reading) => reading.ofStreams(streams, { ...page, before })),
  };
}

const timeOf = (minutes: number) => new Date(begin + minutes * minuteMs);
const versionsOf = (found: readonly RecordedEvent[]) => found.map(({ version }) => version);
const isKnown = (asOf: Date | undefined) => (event: RecordedEvent) => asOf === undefined || new Date(event.at) <= asOf;

/** The versions of the newest event of each type, of events in their order. */
const newestOf = (all: readonly RecordedEvent[]) =>
  [...new Map(all.map(({ type, version }) => [type, version])).values()].sort((one, other) => one - other);

function pauseIn(all: readonly RecordedEvent[]): number[] {
  const ran = all.findLastIndex(({ data }) => !('paused' in data) || !data.paused);
  const pause = all.slice(ran + 1);
  const reasoned = pause.findLast(({ context }) => context.reason !== undefined);
  return [...new Set(versionsOf([...pause.slice(0, 1), ...(reasoned ? [reasoned] : [])]))];
}

/** All of the stream, in pages of twenty-five. */
async function paged(stream: StreamName, asOf: Date | undefined): Promise<number[]> {
  const found: number[] = [];
  for (let before: EventsAsked['before']; ; ) {
    const page = await events.ofStreams([stream], { asOf, before, limit: 25 });
    found.push(...versionsOf(page));
    const last = page.at(-1);
    if (!last || page.length < 25) return found;
    before = await events.placeOf(accountId, last.id);
  }
}

const newestVersions = async (stream: StreamName, asOf: Date | undefined) =>
  versionsOf(await events.newestOfTypes([stream], asOf)).sort((one, other) => one - other);

describe('what explains a thing with a long stream', () => {
  it('is read at the cost of a hundred events when there are two thousand, at any time and from any place', async () => {
    const long = async (count: number): Promise<Long> => {
      // The first half runs and pauses in turns. The other half is one pause, which has a reason in its middle.
      const isPaused = (place: number) => place % 2 === 1 || place > count / 2;
      const schedule = await changed(
        Array.from({ length: count }, (_, place) => ({
          ...{ isPaused: isPaused(place), at: timeOf(place) },
          reason: place === count * 0.75 ? 'the disks are being moved' : undefined,
        })),
      );
      return { count, schedule, backup: await held(count) };
    };
    const streams = [await long(100), await long(2_000)] as const;
    for (const statistics of ['none', 'all']) {
      if (statistics === 'all') await own.dataSource.query('analyze ledger_event');
      const [hundred, thousands] = [await costsOf(streams[0]), await costsOf(streams[1])];
      const rowsOf = (cost: typeof hundred) => Object.entries(cost).map(([what, { rows }]) => [what, rows]);
      expect([statistics, rowsOf(thousands)]).toEqual([statistics, rowsOf(hundred)]);
      expect([statistics, hundred.newest.rows, hundred.page.rows]).toEqual([statistics, 69, 84]);
      // An index that is walked and not entered would cost a block for each hundred events.
      const blocksOf = (cost: typeof hundred) => Object.values(cost).map(({ blocks }) => blocks);
      const more = blocksOf(thousands).map((blocks, at) => blocks - (blocksOf(hundred)[at] ?? 0));
      expect(Math.max(...more)).toBeLessThan(10);
    }
  }, 240_000);

  it('is what the whole stream gives, as of each of its instants', async () => {
    const said = fc.record({
      isPaused: fc.boolean(),
      reason: fc.option(fc.constantFrom('disks', 'fans'), { nil: undefined, freq: 3 }),
      /** Pauses of many events are wanted too. */
      times: fc.integer({ min: 1, max: 12 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(said, { minLength: 8, maxLength: 20 }), async (turns) => {
        const all = turns.flatMap(({ times, ...turn }) => Array.from({ length: times }, () => turn));
        const stream = await changed(all.map((turn, place) => ({ ...turn, at: timeOf(Math.floor(place / 2)) })));
        const whole = await own.ledger.readStream(stream);
        const instants = Array.from({ length: all.length / 2 + 2 }, (_, minutes) => timeOf(minutes - 1));
        for (const [place, asOf] of [undefined, ...instants].entries()) {
          const known = whole.filter(isKnown(asOf));
          expect([asOf, await newestVersions(stream, asOf)]).toEqual([asOf, newestOf(known)]);
          expect([asOf, versionsOf(await events.pauseOf(stream, asOf))]).toEqual([asOf, pauseIn(known)]);
          if (place % 8 === 0) expect([asOf, await paged(stream, asOf)]).toEqual([asOf, versionsOf(known).reverse()]);
        }
      }),
      { numRuns: 5, seed: 1 },
    );
  }, 240_000);

  it('is what is known now, also where a clock was ahead, and is paged by the recorded times', async () => {
    // The clock was ten hours ahead for five events.
    const ahead = (place: number) => (place >= first + 10 && place < first + 15 ? 600 : 0);
    const stream = await changed(
      Array.from({ length: first + 30 }, (_, place) => ({
        ...{ isPaused: place >= 20, reason: undefined, at: timeOf(place + ahead(place)) },
      })),
    );
    const whole = await own.ledger.readStream(stream);
    const inTime = whole.toSorted(
      (one, other) => Date.parse(other.at) - Date.parse(one.at) || other.version - one.version,
    );
    for (const asOf of [
      undefined,
      timeOf(first + 5),
      timeOf(first + 12),
      timeOf(first + 20),
      timeOf(first + 612),
      timeOf(5_000),
    ]) {
      const known = whole.filter(isKnown(asOf));
      expect([asOf, await newestVersions(stream, asOf)]).toEqual([asOf, newestOf(known)]);
      expect([asOf, versionsOf(await events.pauseOf(stream, asOf))]).toEqual([asOf, [21]]);
      expect([asOf, await paged(stream, asOf)]).toEqual([asOf, versionsOf(inTime.filter(isKnown(asOf)))]);
    }
  }, 120_000);

  it('is found by the indexes of streams of that length', async () => {
    const rows: { indexname: string; indexdef: string }[] = await own.dataSource.query(
      `select indexname, indexdef from pg_indexes where indexname like 'ledger_event_of_long%' order by indexname`,
    );
    expect(rows.map(({ indexname }) => indexname)).toEqual([
      'ledger_event_of_long_pause',
      'ledger_event_of_long_stream',
      'ledger_event_of_long_stream_in_time',
    ]);
    for (const { indexdef } of rows) expect(indexdef).toMatch(new RegExp(`version > ${first}\\b`));
  });
});
