import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type NewEvent, type RecordedEvent, streamOf } from '@strongroom/contracts';
import type { Ledger } from '@strongroom/ledger';
import { Views } from '@strongroom/read-model';
import { createLogger, FixedClock, Metrics, RandomIds } from '@strongroom/runtime';
import type { DataSource } from 'typeorm';
import { type OwnLedger, openOwnLedger } from '../../../../test/services/own-ledger.js';
import { DueClock, SteadyDueClock } from './due-clock.js';
import { SlotDispatcher } from './slot-dispatcher.js';
import { setTimer } from './slot-timers.js';

const ids = new RandomIds();
const log = createLogger({ app: 'spec', level: 'silent' });
const context = { requestId: 'request', correlationId: 'request', causationId: null, actor: 'spec' };
const minuteMs = 60_000;
const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const catchUpMs = 12 * hourMs;

/** A database's clock turned by hand. */
class HandTurnedClock extends DueClock {
  at = new Date();

  now(): Promise<Date> {
    return Promise.resolve(this.at);
  }
}

let own: OwnLedger;
let dataSource: DataSource;
let ledger: Ledger;
beforeAll(async () => {
  own = await openOwnLedger();
  ({ dataSource, ledger } = own);
});
afterAll(() => own.close());
beforeEach(() => dataSource.query('delete from slot_timer; delete from steady_time'));

async function recordAt(at: Date, aggregate: 'schedule' | 'instance', id: string, instanceId: string, event: NewEvent) {
  const stream = streamOf(aggregate, id);
  const { length } = await ledger.readStream(stream);
  await dataSource.query(
    `insert into ledger_event (id, stream, version, aggregate, type, account_id, instance_id, at, data, context)
     values ($1, $2, $3, $4, $5, 'acme', $6, $7, $8, $9)`,
    [ids.next(), stream, length + 1, aggregate, event.type, instanceId, at, event.data, context],
  );
  return (await ledger.readStream(stream)).at(-1);
}

/** One schedule, and the true time. The test sets the clocks as it wants. */
class World {
  readonly scheduleId = ids.next();
  readonly instanceId = ids.next();
  private readonly beganAt: number;
  private readonly databaseClock = new HandTurnedClock();
  private readonly processClock: FixedClock;
  private dispatcher: SlotDispatcher;
  private other: { dispatcher: SlotDispatcher; processClock: FixedClock } | undefined;
  /** Whether the other host looks, and tells its time, only after this one has looked. */
  looksFirst = false;
  /** Up to which position of the ledger the events have the time of this world. */
  private datedTo = '0';
  databaseOffMs = 0;
  processOffMs = 0;
  trueMs: number;

  private constructor(beginAt: Date) {
    this.beganAt = beginAt.getTime();
    this.trueMs = this.beganAt;
    this.processClock = new FixedClock(beginAt);
    this.dispatcher = this.start();
  }

  /** Begins a world whose first slot comes after two hours. */
  static async begin({ toldAheadMs = 0, knowsTime = true } = {}): Promise<World> {
    // It lies in the future of the real clock: what is recorded by the real clock was recorded before.
    const beginAt = new Date(Math.ceil(Date.now() / dayMs + 1) * dayMs);
    const world = new World(beginAt);
    await recordAt(beginAt, 'instance', world.instanceId, world.instanceId, {
      type: 'InstanceRegistered',
      data: {
        instanceId: world.instanceId,
        name: 'orders',
        datastore: { type: 'postgresql', version: '18' },
        endpoint: { host: 'db', port: 5432, user: 'backup', database: 'postgres', tls: 'disable' },
      },
    });
    if (knowsTime) await world.decideDue();
    await world.tell('ScheduleCreated', 2, toldAheadMs);
    return world;
  }

  async tell(type: 'ScheduleCreated' | 'ScheduleUpdated', hour: number, aheadMs = 0): Promise<void> {
    const { scheduleId, instanceId } = this;
    const definition = { dayOfWeek: 7, hour, minute: 0, fullBackupRetention: 2, copyTo: [], paused: false };
    const data = { scheduleId, instanceId, ...definition };
    const told = await recordAt(new Date(this.trueMs + aheadMs), 'schedule', scheduleId, instanceId, { type, data });
    await setTimer(dataSource.manager, told as RecordedEvent<'ScheduleCreated'>);
  }

  /** Kills the scheduler and begins another, which knows only what was written down. */
  restart(): void {
    this.dispatcher = this.start();
  }

  /** Adds a scheduler on another host, whose own clock is right. */
  joinAnother(): void {
    const processClock = new FixedClock(new Date(this.trueMs));
    this.other = { processClock, dispatcher: this.start(`${this.scheduleId} other`, processClock) };
  }

  /** Has the scheduler work for a time, with a look every so often. */
  async goOn(ms: number, stepMs = 10 * minuteMs): Promise<void> {
    for (const end = this.trueMs + ms; this.trueMs < end; ) {
      this.trueMs += Math.min(stepMs, end - this.trueMs);
      await this.decideDue();
    }
  }

  /** Lets time pass without any scheduler. */
  passBy(ms: number): void {
    this.trueMs += ms;
  }

  async decideDue(): Promise<void> {
    this.databaseClock.at = new Date(this.trueMs + this.databaseOffMs);
    this.processClock.set(new Date(this.trueMs + this.processOffMs));
    this.other?.processClock.set(new Date(this.trueMs));
    const first = this.look(this.dispatcher);
    if (this.looksFirst) await first;
    const fired = await Promise.all([first, this.other && this.look(this.other.dispatcher)]);
    if (fired.some((slots = 0) => slots > 0)) await this.endBackups();
  }

  /** One look of a scheduler. What it records has the time that the ledger’s clock says. @returns how many slots it fired */
  private async look(dispatcher: SlotDispatcher): Promise<number> {
    const { fired, skipped, missed } = await dispatcher.decideDue();
    if (fired + skipped + missed > 0)
      await dataSource.transaction(async (manager) => {
        // The ledger is append-only, and this session may pass over that.
        await manager.query('set local session_replication_role = replica');
        const [last]: { position: string }[] = await manager.query(
          `with dated as (
             update ledger_event set at = $2 where data ->> 'scheduleId' = $1 and position > $3
               and type in ('BackupRequested', 'BackupDelayed', 'SlotSkipped', 'SlotMissed') returning position
           ) select coalesce(max(position), $3) as position from dated`,
          [this.scheduleId, this.databaseClock.at, this.datedTo],
        );
        this.datedTo = last?.position ?? this.datedTo;
      });
    return fired;
  }

  setAll(offMs: number): void {
    this.databaseOffMs = offMs;
    this.processOffMs = offMs;
  }

  /** What is recorded of each slot, by the hours from the beginning to it. */
  async outcomes(): Promise<Record<string, string[]>> {
    const rows: { type: string; slotAt: string }[] = await dataSource.query(
      `select type, data ->> 'slotAt' as "slotAt" from ledger_event
       where data ->> 'scheduleId' = $1 and type in ('BackupRequested', 'SlotSkipped', 'SlotMissed') order by position`,
      [this.scheduleId],
    );
    const found: Record<string, string[]> = {};
    for (const { type, slotAt } of rows) {
      const hours = (Date.parse(slotAt) - this.beganAt) / hourMs;
      found[hours] = [...(found[hours] ?? []), type];
    }
    return found;
  }

  private start(boot = this.scheduleId, process = this.processClock): SlotDispatcher {
    const clock = new SteadyDueClock({
      database: this.databaseClock,
      process,
      catchUpMs,
      log,
      metrics: new Metrics(),
      uptimeMs: () => this.trueMs - this.beganAt + 5_000_000,
      boot,
    });
    return new SlotDispatcher(dataSource, ledger, new Views(dataSource, ledger), ids, clock, log, catchUpMs);
  }

  private async endBackups(): Promise<void> {
    const { scheduleId, instanceId } = this;
    const open: { key: string; stream: string }[] = await dataSource.query(
      `select stream from ledger_claim where kind = 'running-backup-of-instance' and key = $1`,
      [instanceId],
    );
    for (const { stream } of open) {
      const backupId = stream.slice('backup-'.length);
      const failed = { backupId, instanceId, scheduleId, attempt: 1, code: 'server-unreachable', reason: 'down' };
      const told = await ledger.readStream(streamOf('backup', backupId));
      await ledger.append({
        stream: streamOf('backup', backupId),
        expectedVersion: told.length,
        accountId: 'acme',
        instanceId,
        context,
        events: [{ id: ids.next(), type: 'BackupFailed', data: failed }],
        claims: [],
        releases: [{ kind: 'running-backup-of-instance', key: instanceId }],
      });
    }
  }
}

const ran = ['BackupRequested'];
/** The slots of this many days, each run once. */
const eachRan = (days: number, hour = 2) =>
  Object.fromEntries(Array.from({ length: days }, (_, day) => [String(day * 24 + hour), ran]));

describe('while a clock is wrong', () => {
  it.each([3 * dayMs, -8 * hourMs, 20 * 365 * dayMs, -20 * 365 * dayMs])(
    'by %d ms, the ledger’s or the process’s, every slot runs once and at its time',
    async (offMs) => {
      for (const clock of ['databaseOffMs', 'processOffMs'] as const) {
        await dataSource.query('delete from slot_timer; delete from steady_time');
        const world = await World.begin();
        await world.goOn(hourMs);
        world[clock] = offMs;
        await world.decideDue();
        world[clock] = 0;
        await world.goOn(dayMs);
        world[clock] = offMs;
        await world.goOn(20 * hourMs);
        world.restart();
        await world.goOn(20 * hourMs);
        world[clock] = 0;
        await world.goOn(7 * hourMs);
        expect(await world.outcomes()).toEqual(eachRan(3));
      }
    },
    60_000,
  );

  it('all of them, for hours and through a restart, every slot runs once', async () => {
    for (const offMs of [3 * dayMs, -8 * hourMs]) {
      await dataSource.query('delete from slot_timer; delete from steady_time');
      const world = await World.begin();
      await world.goOn(hourMs);
      world.setAll(offMs);
      await world.goOn(2 * hourMs);
      world.restart();
      await world.goOn(3 * hourMs);
      world.setAll(0);
      await world.goOn(2 * dayMs);
      expect(await world.outcomes()).toEqual(eachRan(3));
    }
  }, 60_000);

  it('all of them, for so long that they are believed, the slots still to come run at their true time when they are right', async () => {
    const world = await World.begin();
    await world.goOn(hourMs);
    world.setAll(3 * dayMs);
    await world.goOn(10 * hourMs);
    world.setAll(0);
    await world.goOn(4 * dayMs);
    const outcomes = await world.outcomes();
    // The clock had passed over three days: their slots were called missed, and the newest one became a backup before its time.
    const madeUp = ['SlotMissed', 'BackupRequested'];
    expect(outcomes).toEqual({ '2': ran, '26': madeUp, '50': madeUp, '74': ran, '98': ran });
  }, 60_000);

  it.each([3 * dayMs, -8 * hourMs])(
    'by %d ms, the ledger’s and with it that of one of two hosts, for longer than a jump is doubted, every slot runs once and at its time',
    async (offMs) => {
      const world = await World.begin();
      world.joinAnother();
      await world.goOn(hourMs);
      world.setAll(offMs);
      // What another host tells counts for three minutes, and a slow machine may leave out a look.
      await world.goOn(28 * hourMs, minuteMs);
      world.setAll(0);
      await world.goOn(30 * hourMs);
      expect(await world.outcomes()).toEqual(eachRan(3));
    },
    120_000,
  );

  it.each([3 * dayMs, -8 * hourMs])(
    'by %d ms, the ledger’s and with it that of one of two hosts, which never hears of the other in time, every slot becomes one backup',
    async (offMs) => {
      const world = await World.begin();
      world.joinAnother();
      await world.goOn(hourMs);
      world.setAll(offMs);
      // What the other host told is half an hour old at each look, so the host with the wrong clock believes it in the end.
      world.looksFirst = true;
      await world.goOn(28 * hourMs, 30 * minuteMs);
      world.setAll(0);
      await world.goOn(60 * hourMs, 30 * minuteMs);
      const outcomes = await world.outcomes();
      for (const told of Object.values(outcomes)) expect(new Set(told).size).toBe(told.length);
      for (const day of [0, 1, 2, 3]) expect(outcomes[day * 24 + 2]?.at(-1)).toBe('BackupRequested');
    },
    120_000,
  );

  it('an older process has written down that a slot ran too early, and it does not run again', async () => {
    const world = await World.begin();
    await world.goOn(3 * hourMs);
    await dataSource.query(
      'update slot_timer set next_slot_at = $1::timestamptz, ahead = array[$1::timestamptz], basis = null',
      [new Date(world.trueMs - hourMs)],
    );
    await world.goOn(dayMs);
    expect(await world.outcomes()).toEqual(eachRan(2));
  });

  it('a schedule that is made or moved keeps its slots', async () => {
    const world = await World.begin({ toldAheadMs: 3 * dayMs });
    world.databaseOffMs = 3 * dayMs;
    await world.goOn(5 * hourMs);
    // The next slot by the old time of day has not come yet.
    await world.tell('ScheduleUpdated', 10, 3 * dayMs);
    await world.goOn(hourMs);
    world.databaseOffMs = 0;
    await world.goOn(2 * dayMs);
    expect(await world.outcomes()).toEqual({ '2': ran, '10': ran, '34': ran });
  }, 60_000);

  it('at a start that knows nothing of before, nothing is fired early and nothing is called missed', async () => {
    const world = await World.begin({ knowsTime: false });
    world.passBy(hourMs);
    world.databaseOffMs = 3 * dayMs;
    await world.goOn(5 * hourMs);
    world.databaseOffMs = 0;
    await world.goOn(dayMs);
    expect(await world.outcomes()).toEqual(eachRan(2));
  });

  it('whatever clock is wrong, by how much and for how long, one at a time: every slot runs once', async () => {
    for (let history = 0; history < 4; history += 1) {
      await dataSource.query('delete from slot_timer; delete from steady_time');
      const world = await World.begin();
      const told: string[] = [];
      for (let left = 4 * dayMs; left > 0; ) {
        const ms = Math.min(left, Math.ceil(Math.random() * 30) * hourMs);
        left -= ms;
        const clock = Math.random() < 0.5 ? 'databaseOffMs' : 'processOffMs';
        world.setAll(0);
        // Both clocks are right for a moment in between: two that are wrong at the same time are tested elsewhere.
        await world.decideDue();
        world[clock] = Math.round((Math.random() - 0.5) * 10 ** (4 + Math.random() * 8));
        if (Math.random() < 0.3) world.restart();
        told.push(`${ms / hourMs} h ${clock} ${world[clock]} ms`);
        await world.goOn(ms, 30 * minuteMs);
      }
      try {
        expect(await world.outcomes()).toEqual(eachRan(4));
      } catch (error) {
        throw new Error(`after ${told.join(', ')}`, { cause: error });
      }
    }
  }, 120_000);
});

describe('a clock that says itself when slots are due', () => {
  it('and is days ahead once: the slots of those days still run, each once', async () => {
    const clock = new HandTurnedClock();
    const world = await World.begin();
    const dispatcher = new SlotDispatcher(
      dataSource,
      ledger,
      new Views(dataSource, ledger),
      ids,
      clock,
      log,
      catchUpMs,
    );
    const begin = world.trueMs;
    const tickAt = async (ms: number) => {
      clock.at = new Date(begin + ms);
      await dispatcher.decideDue();
    };
    await tickAt(hourMs);
    await tickAt(3 * dayMs + hourMs);
    expect(await world.outcomes()).toMatchObject({ '2': ['SlotMissed'], '26': ['SlotMissed'] });
    // The backup that was begun too early has ended.
    await dataSource.query(`delete from ledger_claim where kind = 'running-backup-of-instance'`);
    for (let hour = 1; hour < 4 * 24; hour += 1) {
      await tickAt(hour * hourMs + minuteMs);
      await tickAt(hour * hourMs + 2 * minuteMs);
      await dataSource.query(`delete from ledger_claim where kind = 'running-backup-of-instance'`);
    }
    const outcomes = await world.outcomes();
    for (const day of [0, 1, 2]) expect(outcomes[day * 24 + 2]).toEqual(['SlotMissed', 'BackupRequested']);
    expect(outcomes[3 * 24 + 2]).toEqual(ran);
  });
});
