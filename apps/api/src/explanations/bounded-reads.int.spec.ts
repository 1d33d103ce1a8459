import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { EventData, NewEvent, StreamName } from '@strongroom/contracts';
import { scheduledBackupId } from '@strongroom/domain';
import { ExplainingEvents } from '@strongroom/ledger';
import { loadConfig, RandomIds, SystemClock } from '@strongroom/runtime';
import { type LedgerReads, ledgerReads } from '../../../../test/services/ledger-reads.js';
import { type OwnLedger, openOwnLedger } from '../../../../test/services/own-ledger.js';
import { Explanations } from './resource.js';

const ids = new RandomIds();
const accountId = '1234';
const context = { requestId: 'spec', correlationId: 'spec', causationId: null, actor: 'spec' };
const hourMs = 3_600_000;
const slotOf = (run: number) => new Date(Date.UTC(2020, 0, 1) + run * hourMs);

let own: OwnLedger;
beforeAll(async () => {
  own = await openOwnLedger();
  // Rows that a vacuum has seen may be read from an index alone, and are not counted then.
  await own.dataSource.query('alter table ledger_event set (autovacuum_enabled = false)');
});
afterAll(() => own.close());

async function append(stream: StreamName, instanceId: string, events: NewEvent[]): Promise<Date> {
  const outcome = await own.ledger.append({
    ...{ stream, expectedVersion: 0, accountId, instanceId, context, claims: [], releases: [] },
    events: events.map((event) => ({ ...event, id: ids.next() })),
  });
  if (outcome.outcome !== 'appended') throw new Error(`${stream}: ${outcome.outcome}`);
  return outcome.at;
}

/** A schedule with so many runs. @returns its id, the ids of its backups, and when the middle one was recorded */
async function ran(runs: number) {
  const [scheduleId, instanceId] = [ids.next(), ids.next()];
  const definition = { dayOfWeek: 0, hour: 3, minute: 0, fullBackupRetention: 2, copyTo: ['IAD'], paused: false };
  await append(`schedule-${scheduleId}`, instanceId, [
    { type: 'ScheduleCreated', data: { scheduleId, instanceId, ...definition } },
  ]);
  const backups = Array.from({ length: runs }, (_, run) => scheduledBackupId(scheduleId, slotOf(run)));
  const run = (place: number) => {
    const backupId = backups[place] ?? '';
    const of = { backupId, instanceId, scheduleId };
    const requested: EventData<'BackupRequested'> = {
      ...{ ...of, slotAt: slotOf(place).toISOString(), trigger: 'slot', type: 'full', parentId: null, name: 'orders' },
      ...{ description: null, datastore: { type: 'postgresql', version: '18' }, copyTo: ['IAD'] },
    };
    return append(`backup-${backupId}`, instanceId, [
      { type: 'BackupRequested', data: requested },
      { type: 'BackupFailed', data: { ...of, attempt: 1, code: 'server-unreachable', reason: 'It is down.' } },
    ]);
  };
  const half = runs / 2;
  await Promise.all(backups.slice(0, half).map((_, place) => run(place)));
  const middle = await run(half);
  await Promise.all(backups.slice(half + 1).map((_, place) => run(half + 1 + place)));
  return { scheduleId, instanceId, backups, middle };
}

describe('an explanation', () => {
  it('reads as many events for a schedule of two thousand runs as for one of a hundred', async () => {
    const config = loadConfig('api', {
      STRONGROOM_DATABASE_URL: own.database.url,
      STRONGROOM_FEED: 'embedded',
      STRONGROOM_VAULTS: 'DFW=file:///none,IAD=file:///none-either',
      STRONGROOM_TOKENS_FILE: '/none',
      STRONGROOM_SECRET_KEY: randomBytes(32).toString('base64'),
    });
    const schedules = [await ran(100), await ran(2_000)];
    /** What an answer with a page of twenty sentences reads. */
    const reads = (id: string, asked: { asOf?: Date; marker?: string } = {}): Promise<LedgerReads> =>
      ledgerReads(own.dataSource, async (session) => {
        const explanations = new Explanations(new ExplainingEvents(session), new SystemClock(), config);
        const found = await explanations.find({ accountId }, id, asked.asOf);
        const page = await found.sentences({ limit: 20, marker: asked.marker });
        expect([found.told.id, page && page.items.length > 0]).toEqual([id, true]);
      });
    for (const statistics of ['none', 'all']) {
      if (statistics === 'all') await own.dataSource.query('analyze ledger_event');
      const costs: Record<string, LedgerReads>[] = [];
      for (const { scheduleId, backups, middle } of schedules) {
        const half = backups.length / 2;
        const [newest] = await own.ledger.readStream(`backup-${backups[half] ?? ''}`);
        costs.push({
          now: await reads(scheduleId),
          earlier: await reads(scheduleId, { asOf: middle }),
          further: await reads(scheduleId, { marker: newest?.id ?? '' }),
          backup: await reads(backups[half] ?? ''),
        });
      }
      const of = (name: keyof LedgerReads) => costs.map((each) => Object.values(each).map((cost) => cost[name]));
      const [rowsOfHundred, rowsOfThousands] = of('rows');
      expect([statistics, rowsOfThousands]).toEqual([statistics, rowsOfHundred]);
      // An index that is walked and not entered would cost a block for each hundred events.
      const [blocksOfHundred = [], blocksOfThousands = []] = of('blocks');
      expect(Math.max(...blocksOfThousands.map((blocks, at) => blocks - (blocksOfHundred[at] ?? 0)))).toBeLessThan(10);
    }
  }, 240_000);
});
