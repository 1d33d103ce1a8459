/** The replicator's parts: plans a copy for each region, and makes it. */
import { hostname } from 'node:os';
import { type DynamicModule, Module } from '@nestjs/common';
import { databaseModule } from '@strongroom/database';
import { Ledger } from '@strongroom/ledger';
import { type AppConfig, Jobs, type RuntimeParts } from '@strongroom/runtime';
import { openVaults } from '@strongroom/vault';
import { DataSource } from 'typeorm';
import { CopyAttempt } from './copy-attempt.js';
import { CopyPlanning } from './copy-planning.js';
import { ReplicatorWork } from './replicator-work.js';

@Module({})
class ReplicatorModule {}

export function replicatorModule({ config, log, clock, ids, metrics, health }: RuntimeParts<AppConfig>): DynamicModule {
  const vaults = openVaults(config.vaults);
  const replicator = `replicator-${hostname()}-${process.pid}`;
  return {
    module: ReplicatorModule,
    imports: [databaseModule(config)],
    controllers: [CopyPlanning],
    providers: [
      { provide: Ledger, inject: [DataSource], useFactory: (dataSource: DataSource) => new Ledger(dataSource) },
      { provide: Jobs, inject: [DataSource], useFactory: (dataSource: DataSource) => new Jobs(dataSource) },
      {
        provide: ReplicatorWork,
        inject: [DataSource, Ledger, Jobs],
        useFactory: (dataSource: DataSource, ledger: Ledger, jobs: Jobs) => {
          const { copyRetryMs: retryMs, maxCopyAttempts: mostAttempts } = config;
          const parts = { ledger, ids, clock, log, vaults, replicator, retryMs, mostAttempts };
          // A vault that is away delays its own region's copies and nothing else: it does not make the process unready.
          health.addReadiness('database', async () => void (await dataSource.query('select 1')));
          return new ReplicatorWork({ jobs, metrics, log }, config, replicator, (job, hold) =>
            new CopyAttempt(parts, job, hold).perform(),
          );
        },
      },
    ],
  };
}
