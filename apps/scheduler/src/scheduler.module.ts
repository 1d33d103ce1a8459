/** The scheduler's parts, put together: handlers of the feed's events, and what the process does by itself. */
import { type DynamicModule, Module } from '@nestjs/common';
import { databaseModule } from '@strongroom/database';
import { jobNews } from '@strongroom/feed';
import { Ledger } from '@strongroom/ledger';
import { Backups, RestoreTests, ScheduleOutcomes, Views, viewTables } from '@strongroom/read-model';
import {
  AppWork,
  type ConfigOf,
  type JobKind,
  Jobs,
  jobWork,
  messageOfOutage,
  probeLanes,
  type RuntimeParts,
  WorkLoop,
} from '@strongroom/runtime';
import { FollowedLimits } from '@strongroom/vault';
import { DataSource } from 'typeorm';
import { builtServerJob } from './jobs/built-server/built-server-job.js';
import { sweepHost } from './jobs/built-server/host-sweep.js';
import { ChangedInstances } from './policies/changed-instances.js';
import { EarlierChainEnds } from './policies/earlier-chain-ends.js';
import { StrandedDeletions } from './policies/stranded-deletions.js';
import { schedulerJobs } from './scheduler-jobs.js';
import { type SchedulerParts, schedulerParts } from './scheduler-parts.js';
import { heartbeatLoop } from './slots/heartbeat.js';
import { MissingTimers } from './slots/missing-timers.js';
import { SlotAlarm } from './slots/slot-alarm.js';
import { SlotDispatcher } from './slots/slot-dispatcher.js';
import { slotLoop } from './slots/slot-loop.js';
import { TimerSetting } from './slots/timer-setting.js';
import { measureSchedules } from './views/schedule-metrics.js';
import { ViewFolding } from './views/view-folding.js';

const missingTimersMs = 60_000;
const strandedDeletionsMs = 10_000;
const lostHostsMs = 30_000;
/** Whoever works in a lane looks at it many times in this time. */
const leftAloneMs = 120_000;
const hostSweepMs = 120_000;
const setAsideMs = 60_000;
const homeOutageMs = 10_000;
const partsToken = Symbol('SchedulerParts');

@Module({})
class SchedulerModule {}

/** @param kinds the kinds of jobs that the process does */
export function schedulerModule(
  runtime: RuntimeParts<ConfigOf['scheduler']>,
  kinds: readonly JobKind<SchedulerParts>[] = schedulerJobs,
): DynamicModule {
  const fromParts = <Part>(part: (parts: SchedulerParts) => Part) => ({ inject: [partsToken], useFactory: part });
  return {
    module: SchedulerModule,
    imports: [databaseModule(runtime.config, viewTables)],
    // Each handler brings what it needs up to date itself, so their order does not matter.
    controllers: [ViewFolding, TimerSetting, jobNews(kinds), EarlierChainEnds, ChangedInstances],
    providers: [
      {
        provide: partsToken,
        inject: [DataSource],
        useFactory: (dataSource: DataSource) => schedulerParts(runtime, dataSource),
      },
      { provide: Ledger, ...fromParts(({ ledger }) => ledger) },
      { provide: Views, ...fromParts(({ views }) => views) },
      { provide: Backups, ...fromParts(({ backups }) => backups) },
      { provide: Jobs, ...fromParts(({ jobs }) => jobs) },
      { provide: SlotAlarm, ...fromParts(({ slotAlarm }) => slotAlarm) },
      { provide: AppWork, ...fromParts((parts) => workOf(runtime, parts, kinds)) },
    ],
  };
}

function workOf(
  { health }: Pick<RuntimeParts, 'health'>,
  parts: SchedulerParts,
  kinds: readonly JobKind<SchedulerParts>[],
): AppWork {
  const { config, dataSource, ledger, ids, vault, homeRegion, slotTime, log, views, setAside, jobs, metrics } = parts;
  const { catchUpMs } = config;
  const { heartbeatUrl } = config.alarms;
  health.addReadiness('database', async () => void (await dataSource.query('select 1')));
  health.addReadiness(`vault-${homeRegion}`, () => vault.probe());
  const stored = config.quotas['stored-gib'];
  const dispatcher = new SlotDispatcher(dataSource, ledger, views, ids, slotTime, log, catchUpMs, stored);
  const timers = new MissingTimers(parts);
  const stranded = new StrandedDeletions(parts);
  const slots = slotLoop(dispatcher, parts);
  const outcomes = new ScheduleOutcomes(dataSource);
  measureSchedules({ metrics, outcomes, restoreTests: new RestoreTests(dataSource), config });
  const work = jobWork(kinds, parts);
  health.addDegradation('regions', () =>
    [parts.home.now()].flatMap((outage) => (outage ? [messageOfOutage(outage)] : [])),
  );
  health.addReadiness('slots', () => slots.probe());
  health.addReadiness('jobs', () => probeLanes(work));
  return new AppWork([
    slots,
    ...(heartbeatUrl ? [heartbeatLoop({ url: heartbeatUrl, probe: () => slots.probe(), metrics, log })] : []),
    new WorkLoop({
      name: 'search for missing timers',
      intervalMs: missingTimersMs,
      log,
      pass: () => timers.putBackMissing(),
    }),
    new WorkLoop({
      name: 'taking up of stranded deletions',
      intervalMs: strandedDeletionsMs,
      log,
      pass: () => stranded.takeUpStranded(),
    }),
    new WorkLoop({
      name: 'return of built servers whose host is gone',
      intervalMs: lostHostsMs,
      log,
      pass: () => jobs.leaveLanes(builtServerJob.kind, leftAloneMs),
    }),
    ...(config.instancesFolder === undefined ? [] : [hostSweep(parts, config.instancesFolder)]),
    new WorkLoop({
      name: 'retry of what was set aside',
      intervalMs: setAsideMs,
      log,
      pass: async () => {
        await views.retrySetAside();
        await views.retryAccountsSetAside(log);
        await setAside.forgetGone();
      },
    }),
    new WorkLoop({
      name: 'search for the home region while it is away',
      intervalMs: homeOutageMs,
      log,
      pass: () => parts.home.look(),
    }),
    new FollowedLimits(parts),
    ...work,
  ]);
}

/** It begins with the process, since the one before may have been lost in the middle of a build. */
function hostSweep(parts: SchedulerParts, folder: string): WorkLoop {
  const { log, config } = parts;
  return new WorkLoop({
    name: 'removal of what lost builds have left',
    intervalMs: hostSweepMs,
    log,
    pass: (signal, moved) => sweepHost({ ...parts, folder, guests: config.guests, moved }, signal),
  });
}
