/**
 * Tells operators of each schedule when it succeeded last, and what each region can give back. The numbers come from the views and not from
 * this process, so that every scheduler tells the same. There are series for a limited number of schedules, and those whose success is
 * late come before all others: an alarm that goes by them is not lost among a million schedules.
 */
import { mostLookedThrough } from '@strongroom/contracts';
import { slotIntervalMs } from '@strongroom/domain';
import type {
  Restorable,
  RestoreTests,
  ScheduleOutcome,
  ScheduleOutcomes,
  TestOfSchedule,
} from '@strongroom/read-model';
import type { Metrics } from '@strongroom/runtime';

export interface ScheduleMetricsParts {
  metrics: Metrics;
  outcomes: ScheduleOutcomes;
  restoreTests: RestoreTests;
  config: { alarms: { metricSchedules: number }; homeRegion: string };
}

/** Before an alarm may come at one and a half intervals. */
const firstFrom = 1.25 * slotIntervalMs;
const alarmFrom = 1.5 * slotIntervalMs;
/** All schedules are counted no more often. */
const countedEveryMs = 60_000;
const endings = ['completed', 'failed', 'skipped', 'missed'] as const;

interface Reading {
  outcomes: ScheduleOutcome[];
  restorable: Restorable[];
  tests: TestOfSchedule[];
}

export function measureSchedules(parts: ScheduleMetricsParts): void {
  const { metrics, outcomes, config } = parts;
  const read = sharedReading(parts);
  const perSchedule = ['account', 'schedule'] as const;
  const ofEach = (value: (outcome: ScheduleOutcome) => number) => async (gauge: SettableGauge) => {
    const { outcomes: shown } = await read();
    gauge.reset();
    for (const each of shown) gauge.set(labelsOf(each), value(each));
  };
  metrics.gauge({
    name: 'strongroom_schedule_last_success_seconds',
    help: 'When the newest backup of a schedule completed, in seconds since 1970; before the first one, when the schedule was created. Every scheduler tells the same.',
    labels: perSchedule,
    measure: ofEach(({ lastSuccessAt }) => lastSuccessAt.getTime() / 1_000),
  });
  metrics.gauge({
    name: 'strongroom_schedule_active_since_seconds',
    help: 'Since when a schedule has run at this time of the day without a pause, in seconds since 1970: no success is owed before.',
    labels: perSchedule,
    measure: ofEach(({ activeSince }) => activeSince.getTime() / 1_000),
  });
  metrics.gauge({
    name: 'strongroom_schedule_expected_interval_seconds',
    help: 'How long it is from one run of a schedule to the next one.',
    labels: perSchedule,
    measure: ofEach(() => slotIntervalMs / 1_000),
  });
  metrics.gauge({
    name: 'strongroom_schedule_last_restorable_seconds',
    help: 'When the newest backup of a schedule was completed that a region holds whole, with everything that it is built on, in seconds since 1970; where there is none, when the schedule was changed last.',
    labels: [...perSchedule, 'region'],
    measure: async (gauge) => {
      const { outcomes: shown, restorable } = await read();
      const accounts = new Map(shown.map(({ scheduleId, accountId }) => [scheduleId, accountId]));
      gauge.reset();
      for (const { scheduleId, region, lastRestorableAt } of restorable) {
        const account = accounts.get(scheduleId);
        if (account !== undefined)
          gauge.set({ account, schedule: scheduleId, region }, lastRestorableAt.getTime() / 1_000);
      }
    },
  });
  metrics.gauge({
    name: 'strongroom_schedule_restore_tested_seconds',
    help: "When a restore of a schedule's instance from a region was tested last and passed, in seconds since 1970, as somebody has told it; absent before the first.",
    labels: [...perSchedule, 'region'],
    measure: async (gauge) => {
      const { outcomes: shown, tests } = await read();
      const accounts = new Map(shown.map(({ scheduleId, accountId }) => [scheduleId, accountId]));
      gauge.reset();
      for (const { scheduleId, test } of tests) {
        const account = accounts.get(scheduleId);
        if (account !== undefined && test.fault === null)
          gauge.set({ account, schedule: scheduleId, region: test.region }, Date.parse(test.at) / 1_000);
      }
    },
  });
  metrics.counter({
    name: 'strongroom_schedule_runs_total',
    help: 'Runs of a schedule by how they ended. They are counted in the database, so every scheduler tells the same.',
    labels: [...perSchedule, 'outcome'],
    measure: async (counter) => {
      const { outcomes: shown } = await read();
      counter.reset();
      for (const each of shown)
        for (const outcome of endings) counter.inc({ ...labelsOf(each), outcome }, each[outcome]);
    },
  });
  metrics.gauge({
    name: 'strongroom_schedules_late',
    help: 'Schedules that are not paused and have had no success for one and a half intervals, of all accounts; at most 100000 are counted.',
    measure: async (gauge) => gauge.set(await outcomes.late(alarmFrom)),
  });
  const active = countedSeldom(() => outcomes.active());
  metrics.gauge({
    name: 'strongroom_schedules_not_shown',
    help: 'Schedules that are not paused and have no metrics of their own, because there are more than STRONGROOM_METRIC_SCHEDULES.',
    measure: async (gauge) => gauge.set(Math.max((await active()) - config.alarms.metricSchedules, 0)),
  });
}

interface SettableGauge {
  reset(): void;
  set(labels: { account: string; schedule: string }, value: number): void;
}

function labelsOf({ accountId, scheduleId }: ScheduleOutcome): { account: string; schedule: string } {
  return { account: accountId, schedule: scheduleId };
}

/** All metrics of one answer share one reading. */
function sharedReading({ outcomes, restoreTests, config }: ScheduleMetricsParts): () => Promise<Reading> {
  let reading: Promise<Reading> | undefined;
  const read = async (): Promise<Reading> => {
    const shown = await outcomes.first(config.alarms.metricSchedules, firstFrom);
    const ids = shown.map(({ scheduleId }) => scheduleId);
    const restorable = await outcomes.restorable(ids, config.homeRegion);
    return { outcomes: shown, restorable, tests: await restoreTests.ofSchedules(ids, mostLookedThrough) };
  };
  return () => {
    reading ??= read().finally(() => {
      reading = undefined;
    });
    return reading;
  };
}

function countedSeldom(count: () => Promise<number>): () => Promise<number> {
  let counted: { at: number; number: number } | undefined;
  return async () => {
    if (counted && performance.now() - counted.at < countedEveryMs) return counted.number;
    counted = { at: performance.now(), number: await count() };
    return counted.number;
  };
}
