/** The replicator's parts: plans a copy for each region, and makes it. */
import { hostname } from 'node:os';
import { type DynamicModule, Module } from '@nestjs/common';
import { databaseModule } from '@strongroom/database';
import { groupOf } from '@strongroom/feed';
import { heldVerdicts, Ledger } from '@strongroom/ledger';
import { Backups, Copies, Views, viewTables } from '@strongroom/read-model';
import { type AppConfig, Jobs, KnownVaults, type Logger, type RuntimeParts } from '@strongroom/runtime';
import { openVaults, Sweep } from '@strongroom/vault';
import { DataSource } from 'typeorm';
import { CopyAttempt } from './jobs/copy/copy-attempt.js';
import { CopyPlanning } from './jobs/plan/copy-planning.js';
import { UnplannedCopies } from './jobs/plan/unplanned-copies.js';
import { StallWatch } from './jobs/stall-watch.js';
import { MissingCopies } from './missing-copies.js';
import { StrandedCopies } from './policies/stranded-copies.js';
import { ReplicatorWork } from './replicator-work.js';

/** Node's own. */
const defaultThreads = 4;

@Module({})
class ReplicatorModule {}

export function replicatorModule({ config, log, clock, ids, metrics, health }: RuntimeParts<AppConfig>): DynamicModule {
  const vaults = openVaults(config.vaults);
  const stalls = new StallWatch(config.copyStallMs, log);
  warnOfFewThreads(config, log);
  const replicator = `replicator-${hostname()}-${process.pid}`;
  return {
    module: ReplicatorModule,
    imports: [databaseModule(config, viewTables)],
    controllers: [CopyPlanning],
    providers: [
      { provide: Ledger, inject: [DataSource], useFactory: (dataSource: DataSource) => new Ledger(dataSource) },
      { provide: Jobs, inject: [DataSource], useFactory: (dataSource: DataSource) => new Jobs(dataSource) },
      {
        provide: Views,
        inject: [DataSource, Ledger],
        useFactory: (dataSource: DataSource, ledger: Ledger) => new Views(dataSource, ledger),
      },
      { provide: Backups, inject: [DataSource], useFactory: (dataSource: DataSource) => new Backups(dataSource) },
      {
        provide: ReplicatorWork,
        inject: [DataSource, Ledger, Views, Jobs],
        useFactory: async (dataSource: DataSource, ledger: Ledger, views: Views, jobs: Jobs) => {
          await vaults.identify(log, new KnownVaults(dataSource));
          const { copyRetryMs: retryMs, maxCopyAttempts: mostAttempts } = config;
          const parts = { ledger, ids, clock, log, vaults, stalls, replicator, retryMs, mostAttempts };
          // A vault that is away delays its own region's copies and nothing else: it does not make the process unready.
          health.addReadiness('database', async () => void (await dataSource.query('select 1')));
          const planning = new CopyPlanning(ledger, ids, jobs, views, new Backups(dataSource));
          const missing = new MissingCopies({
            ...{ dataSource, ledger, views, jobs, metrics, log },
            plan: (event) => planning.planCopies(event),
          });
          const unplanned = new UnplannedCopies({ dataSource, ledger, clock, group: groupOf(config) });
          const copies = new Copies(dataSource);
          const stranded = new StrandedCopies({ ledger, views, copies, ids, log, served: vaults.regions });
          const sweep = new Sweep({
            ask: (region, backupIds) => heldVerdicts({ ledger, manager: dataSource.manager }, region, backupIds),
            clock,
            log,
            metrics,
            graceMs: config.sweepGraceMs,
          });
          const work = { dataSource, jobs, missing, stranded, copies, unplanned, metrics, log };
          return new ReplicatorWork(work, config, replicator, {
            copy: (job, hold) => new CopyAttempt(parts, job, hold).perform(),
            sweep: ({ lane, attempt }, { signal: ends }) =>
              sweep.tryPass(lane, () =>
                stalls.over(lane, ends, (signal, moved) => sweep.pass(vaults.of(lane), attempt, signal, moved)),
              ),
          });
        },
      },
    ],
  };
}

/**
 * Each operation of a file system keeps a thread of Node's, and one that hangs keeps it for good: with as many as the
 * regions can take and some to spare, a region that hangs stalls no other. Only the environment can say so, before the
 * process begins.
 */
function warnOfFewThreads({ copyConcurrency, vaults }: AppConfig, log: Logger): void {
  const threads = Number(process.env.UV_THREADPOOL_SIZE ?? defaultThreads);
  const enough = defaultThreads + 2 * copyConcurrency * vaults.size;
  if (threads >= enough) return;
  log.warn(
    `UV_THREADPOOL_SIZE is ${threads}: file systems of regions that hang can stall the others. Set it to ${enough}.`,
  );
}
