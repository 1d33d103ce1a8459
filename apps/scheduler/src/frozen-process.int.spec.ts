import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { type NewEvent, type RecordedEvent, streamOf } from '@strongroom/contracts';
import { createDataSource } from '@strongroom/database';
import { isOutage, Ledger } from '@strongroom/ledger';
import { Views, viewTables } from '@strongroom/read-model';
import { createLogger, RandomIds } from '@strongroom/runtime';
import type { DataSource } from 'typeorm';
import { connectTestDatabase, type TestDatabase } from '../../../test/services/database.js';
import { freezingDatabase } from '../../../test/services/freezing-database.js';
import { patienceNow } from '../../../test/services/patience.js';
import { DueClock } from './slots/due-clock.js';
import { SlotDispatcher } from './slots/slot-dispatcher.js';
import { setTimer } from './slots/slot-timers.js';

const ids = new RandomIds();
const log = createLogger({ app: 'spec', level: 'silent' });
const context = { requestId: 'request', correlationId: 'request', causationId: null, actor: 'spec' };
const accountId = 'acme';
const dayMs = 86_400_000;

class Tomorrow extends DueClock {
  now(): Promise<Date> {
    return Promise.resolve(new Date(Date.now() + dayMs));
  }
}

let database: TestDatabase;
let dataSource: DataSource;

beforeAll(async () => {
  ({ database, dataSource } = await connectTestDatabase({ applicationName: 'frozen-spec', entities: viewTables }));
});
afterAll(async () => {
  await dataSource.destroy();
  await database.drop();
});

/** It has the limits of a service: a connection that it begins while it is frozen is given up. */
function open(url: string): Promise<DataSource> {
  return createDataSource({ url, applicationName: 'frozen-spec', entities: viewTables }).initialize();
}

const requestOf = (instanceId: string, event: NewEvent) => ({
  stream: streamOf(event.type.startsWith('Schedule') ? 'schedule' : 'instance', instanceId),
  ...{ expectedVersion: 0, accountId, instanceId, context, claims: [], releases: [] },
  events: [{ ...event, id: ids.next() }],
});
const forgetting = (instanceId = ids.next()) =>
  requestOf(instanceId, { type: 'InstanceForgotten', data: { instanceId } });

/** A schedule that is due before tomorrow at this time, and its instance. */
async function dueSchedule(): Promise<void> {
  const ledger = new Ledger(dataSource);
  const instanceId = ids.next();
  const server = { name: 'orders', datastore: { type: 'postgresql', version: '18' } } as const;
  const endpoint = { host: 'db', port: 5432, user: 'backup', database: 'postgres', tls: 'disable' } as const;
  await ledger.append(requestOf(instanceId, { type: 'InstanceRegistered', data: { instanceId, ...server, endpoint } }));
  const definition = { dayOfWeek: 7, hour: 2, minute: 0, fullBackupRetention: 2, copyTo: [], paused: false };
  const data = { scheduleId: instanceId, instanceId, ...definition };
  await ledger.append(requestOf(instanceId, { type: 'ScheduleCreated', data }));
  const [created] = await ledger.readStream(streamOf('schedule', instanceId));
  await setTimer(dataSource.manager, created as RecordedEvent<'ScheduleCreated'>);
}
const viewsOf = (on: DataSource) => new Views(on, new Ledger(on));
const decide = (on: DataSource) =>
  new SlotDispatcher(on, new Ledger(on), viewsOf(on), ids, new Tomorrow(), log, 2 * dayMs).decideDue();
const append = async (on: DataSource) => void (await new Ledger(on).append(forgetting()));
const moveOffset = (on: DataSource) =>
  on.transaction(async (manager) => {
    const key = ['group', 'source', 'topic'];
    await manager.query(
      `insert into feed_offset (consumer_group, source, topic, partition) values ($1, $2, $3, 0)
       on conflict (consumer_group, source, topic, partition) do update set moved_at = now()`,
      key,
    );
  });

interface Case {
  does: string;
  at: RegExp;
  prepare?: () => Promise<void>;
  frozen(on: DataSource): Promise<unknown>;
  other(on: DataSource): Promise<unknown>;
}

const cases: Case[] = [
  {
    does: 'takes due timers, so that another one decides their slots',
    ...{ at: /next_slot_at <= \$1 and schedule_id/, prepare: dueSchedule, frozen: decide },
    other: async (on) => expect(await decideOne(on)).toBe(1),
  },
  {
    does: 'records decided slots',
    ...{ at: /ledger_append/, prepare: dueSchedule, frozen: decide, other: append },
  },
  {
    does: 'takes a claim, as one of an older version does',
    at: /ledger_take_claim/,
    frozen: (on) =>
      on.transaction(async (manager) => {
        await manager.query('select ledger_take_claim($1, $2, $3)', ['idempotency-key', ids.next(), 'refusal']);
        await manager.query('select 1');
      }),
    other: append,
  },
  {
    does: 'folds the views of an account for many who ask',
    at: /from view_head where account_id = any.* for update/,
    prepare: () => append(dataSource),
    frozen: (on) => {
      const views = viewsOf(on);
      return Promise.all(Array.from({ length: 5 }, () => views.catchUp(accountId)));
    },
    other: async (on) => {
      for (let count = 0; count < 5; count += 1) {
        await append(on);
        await viewsOf(on).catchUp(accountId);
      }
    },
  },
  { does: 'moves an offset of its feed', at: /insert into feed_offset/, frozen: moveOffset, other: moveOffset },
];

/** Decides until a slot was decided: until then another process has the timer. */
async function decideOne(on: DataSource): Promise<number> {
  for (;;) {
    const { fired } = await decide(on);
    if (fired > 0) return fired;
  }
}

it.each(cases)(
  'a process that freezes while it $does keeps the others waiting for two seconds at most',
  async (each) => {
    await each.prepare?.();
    const freezing = await freezingDatabase(database.url, each.at);
    const ofFrozen = await open(freezing.url);
    try {
      const failed = each.frozen(ofFrozen).then(
        () => new Error('it did not freeze'),
        (error: unknown) => error,
      );
      // A process that sends no such statement ends without having frozen.
      const neverFroze = failed.then((why) => Promise.reject(why));
      await Promise.race([freezing.frozen, neverFroze]);
      const begunAt = performance.now();
      await each.other(dataSource);
      const tookMs = performance.now() - begunAt;
      expect(tookMs).toBeLessThan(2_000 + 1_000 * patienceNow({ measured: true }));
      expect(isOutage(await failed)).toBe(true);
    } finally {
      freezing.close();
      await ofFrozen.destroy();
    }
  },
);

it('a process that freezes while it appends to several streams, again and again, keeps nobody waiting', async () => {
  const freezing = await freezingDatabase(database.url, /ledger_append/);
  const ofFrozen = await open(freezing.url);
  try {
    const ledger = new Ledger(ofFrozen);
    // A connection that is made only after the freeze would be refused for that.
    await Promise.all(Array.from({ length: 5 }, () => ofFrozen.query('select pg_sleep(0.1)')));
    const together = Array.from({ length: 5 }, () => ledger.appendTogether([forgetting(), forgetting()]));
    const settled = Promise.allSettled(together);
    await freezing.frozen;
    const begunAt = performance.now();
    for (let count = 0; count < 5; count += 1) await append(dataSource);
    const tookMs = performance.now() - begunAt;
    expect(tookMs).toBeLessThan(1_000 + 1_000 * patienceNow({ measured: true }));
    // The one statement of each is done, though its process sends no other.
    expect((await settled).filter(({ status }) => status === 'rejected')).toEqual([]);
  } finally {
    freezing.close();
    await ofFrozen.destroy();
  }
});
