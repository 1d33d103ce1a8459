/** The replicator's parts, put together: handlers of the feed's events, and what the process does by itself. */
import { type DynamicModule, Module } from '@nestjs/common';
import { databaseModule } from '@strongroom/database';
import { jobNews } from '@strongroom/feed';
import { Ledger } from '@strongroom/ledger';
import { Backups, Views, viewTables } from '@strongroom/read-model';
import {
  type AppConfig,
  AppWork,
  type ConfigOf,
  Jobs,
  jobWork,
  type Logger,
  messageOfOutage,
  probeLanes,
  type RuntimeParts,
  WorkLoop,
} from '@strongroom/runtime';
import { FollowedLimits } from '@strongroom/vault';
import { DataSource } from 'typeorm';
import { StrandedCopies } from './policies/stranded-copies.js';
import { WaitingChildren } from './policies/waiting-children.js';
import { replicatorJobs } from './replicator-jobs.js';
import { type ReplicatorParts, replicatorParts } from './replicator-parts.js';

/** The number of threads that Node has by default. */
const defaultThreads = 4;
const strandedCopiesMs = 10_000;
const awayRegionsMs = 10_000;
const partsToken = Symbol('ReplicatorParts');

@Module({})
class ReplicatorModule {}

export function replicatorModule(runtime: RuntimeParts<ConfigOf['replicator']>): DynamicModule {
  warnOfFewThreads(runtime.config, runtime.log);
  const fromParts = <Part>(part: (parts: ReplicatorParts) => Part) => ({ inject: [partsToken], useFactory: part });
  return {
    module: ReplicatorModule,
    imports: [databaseModule(runtime.config, viewTables)],
    controllers: [jobNews(replicatorJobs), WaitingChildren],
    providers: [
      {
        provide: partsToken,
        inject: [DataSource],
        useFactory: (dataSource: DataSource) => replicatorParts(runtime, dataSource),
      },
      { provide: Ledger, ...fromParts(({ ledger }) => ledger) },
      { provide: Views, ...fromParts(({ views }) => views) },
      { provide: Backups, ...fromParts(({ backups }) => backups) },
      { provide: Jobs, ...fromParts(({ jobs }) => jobs) },
      { provide: AppWork, ...fromParts((parts) => workOf(runtime, parts)) },
    ],
  };
}

function workOf({ health }: Pick<RuntimeParts, 'health'>, parts: ReplicatorParts): AppWork {
  const { dataSource, log } = parts;
  // A vault that is away delays its own region's copies and nothing else: it does not make the process unready.
  health.addReadiness('database', async () => void (await dataSource.query('select 1')));
  health.addDegradation('regions', () => parts.away.known().map(messageOfOutage));
  const stranded = new StrandedCopies(parts);
  const work = jobWork(replicatorJobs, parts);
  health.addReadiness('jobs', () => probeLanes(work));
  return new AppWork([
    new WorkLoop({
      name: 'search for stranded copies',
      intervalMs: strandedCopiesMs,
      log,
      pass: () => stranded.followRegions(),
    }),
    new WorkLoop({
      name: 'search for regions that are back',
      intervalMs: awayRegionsMs,
      log,
      pass: () => parts.away.look(),
    }),
    new FollowedLimits({ ...parts, tell: (limits) => parts.inForce.tell(parts.replicator, limits) }),
    ...work,
  ]);
}

/**
 * Each operation of a file system keeps one of Node's threads, and an operation that hangs keeps it for good. There are
 * as many threads as all regions can take, and some more. So a region that hangs stalls no other. Only the environment
 * can say so, before the process begins.
 */
function warnOfFewThreads({ copyConcurrency, vaults }: AppConfig, log: Logger): void {
  const threads = Number(process.env.UV_THREADPOOL_SIZE ?? defaultThreads);
  const enough = defaultThreads + 2 * copyConcurrency * vaults.size;
  if (threads >= enough) return;
  log.warn(
    `UV_THREADPOOL_SIZE is ${threads}: file systems of regions that hang can stall the others. Set it to ${enough}.`,
  );
}
