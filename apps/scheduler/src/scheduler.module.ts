/** The scheduler's parts: projects events, fires due slots, runs backups. */
import { hostname } from 'node:os';
import { type DynamicModule, Module } from '@nestjs/common';
import { Credentials } from '@strongroom/credentials';
import { databaseModule } from '@strongroom/database';
import { engineFor } from '@strongroom/engines';
import { heldVerdicts, Ledger } from '@strongroom/ledger';
import { Backups, Views, viewTables } from '@strongroom/read-model';
import { type ConfigOf, Jobs, KnownVaults, type RuntimeParts } from '@strongroom/runtime';
import { openVaults, Sweep } from '@strongroom/vault';
import { DataSource } from 'typeorm';
import { BackupAttempt } from './jobs/backup/backup-attempt.js';
import { ServerLineage } from './jobs/backup/server-lineage.js';
import { BuiltServer } from './jobs/built-server/built-server.js';
import { ChainEndAttempt } from './jobs/chain-end/chain-end-attempt.js';
import { DeletionAttempt } from './jobs/deletion/deletion-attempt.js';
import { Retention } from './jobs/retention/retention.js';
import { MissingWork } from './missing-work.js';
import { StrandedDeletions } from './policies/stranded-deletions.js';
import { buildsServersToken, Projection } from './projection.js';
import { SchedulerWork } from './scheduler-work.js';
import { bootOfHost, DatabaseDueClock, SteadyDueClock, uptimeOfHostMs } from './slots/due-clock.js';
import { SlotDispatcher } from './slots/slot-dispatcher.js';

@Module({})
class SchedulerModule {}

export function schedulerModule({
  config,
  log,
  clock,
  ids,
  metrics,
  health,
}: RuntimeParts<ConfigOf['scheduler']>): DynamicModule {
  const { homeRegion, instancesFolder = '' } = config;
  const vaults = openVaults(config.vaults);
  const vault = vaults.of(homeRegion);
  const runner = `scheduler-${hostname()}-${process.pid}`;
  return {
    module: SchedulerModule,
    imports: [databaseModule(config, viewTables)],
    controllers: [Projection],
    providers: [
      { provide: Ledger, inject: [DataSource], useFactory: (dataSource: DataSource) => new Ledger(dataSource) },
      {
        provide: Views,
        inject: [DataSource, Ledger],
        useFactory: (dataSource: DataSource, ledger: Ledger) => new Views(dataSource, ledger),
      },
      { provide: Jobs, inject: [DataSource], useFactory: (dataSource: DataSource) => new Jobs(dataSource) },
      { provide: Backups, inject: [DataSource], useFactory: (dataSource: DataSource) => new Backups(dataSource) },
      { provide: buildsServersToken, useValue: instancesFolder !== '' },
      {
        provide: Retention,
        inject: [DataSource, Ledger],
        useFactory: (dataSource: DataSource, ledger: Ledger) =>
          new Retention(dataSource, ledger, ids, log, vaults.regions),
      },
      {
        provide: SchedulerWork,
        inject: [DataSource, Ledger, Views, Jobs],
        useFactory: async (dataSource: DataSource, ledger: Ledger, views: Views, jobs: Jobs) => {
          await vaults.identify(log, new KnownVaults(dataSource));
          const credentials = new Credentials(dataSource, config.secretKey);
          const lineage = new ServerLineage({ dataSource, ledger, views, ids, log, engineFor, vault });
          const anotherServer = metrics.counter({
            name: 'strongroom_another_server_total',
            help: 'Backups by this process that came to be of another server than the backup before of the instance.',
          });
          const onAnotherServer = () => anotherServer.inc();
          const parts = {
            ledger,
            ids,
            clock,
            log,
            credentials,
            engineFor,
            vaults,
            vault,
            lineage,
            onAnotherServer,
            runner,
          };
          const deletion = { dataSource, ledger, views, ids, log, vaults, homeRegion, actor: runner };
          const chainEnd = { dataSource, ledger, views, credentials, engineFor, log };
          const built = {
            ...{ ledger, ids, log, credentials, vaults, homeRegion, engineFor },
            ...{ folder: instancesFolder, actor: runner },
          };
          const dueClock = new SteadyDueClock({
            ...{ database: new DatabaseDueClock(), process: clock, uptimeMs: uptimeOfHostMs, boot: bootOfHost() },
            ...{ catchUpMs: config.catchUpMs, metrics, log },
          });
          const dispatcher = new SlotDispatcher(dataSource, ledger, ids, dueClock, log, config.catchUpMs);
          const missing = new MissingWork({
            ...{ dataSource, ledger, views, jobs, metrics, log },
            buildsServers: instancesFolder !== '',
          });
          health.addReadiness('database', async () => void (await dataSource.query('select 1')));
          health.addReadiness(`vault-${homeRegion}`, () => vault.probe());
          const stranded = new StrandedDeletions(deletion);
          const sweep = new Sweep({
            ask: (region, backupIds) => heldVerdicts({ ledger, manager: dataSource.manager }, region, backupIds),
            clock,
            log,
            metrics,
            graceMs: config.sweepGraceMs,
          });
          return new SchedulerWork({ dispatcher, missing, stranded, jobs, dataSource, metrics, log }, config, runner, {
            backup: (job, hold) => new BackupAttempt(parts, job, hold).perform(),
            deletion: (job, hold) => new DeletionAttempt(deletion, job, hold).perform(),
            'chain-end': (job, hold) => new ChainEndAttempt(chainEnd, job, hold).perform(),
            instance: (job, hold) => new BuiltServer(built, job, hold).perform(),
            sweep: (job, hold) => sweep.tryPass(homeRegion, () => sweep.pass(vault, job.attempt, hold.signal)),
          });
        },
      },
    ],
  };
}
