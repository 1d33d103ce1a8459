/** The gateway's parts. */
import { type DynamicModule, Module } from '@nestjs/common';
import { Credentials } from '@strongroom/credentials';
import { databaseModule } from '@strongroom/database';
import { Identity, StaticTokens } from '@strongroom/identity';
import { Ledger } from '@strongroom/ledger';
import { Views, viewTables } from '@strongroom/read-model';
import type { ConfigOf, RuntimeParts } from '@strongroom/runtime';
import { DataSource } from 'typeorm';
import { BackupsController } from './backups.controller.js';
import { Commands } from './commands.js';
import { InstancesController } from './instances.controller.js';
import { Reads } from './reads.js';
import { SchedulesController } from './schedules.controller.js';
import { ServiceController } from './service.controller.js';

@Module({})
class ApiModule {}

export function apiModule({ config, log, clock, ids, health }: RuntimeParts<ConfigOf['api']>): DynamicModule {
  return {
    module: ApiModule,
    imports: [databaseModule(config, viewTables)],
    controllers: [ServiceController, SchedulesController, BackupsController, InstancesController],
    providers: [
      { provide: Identity, useFactory: () => StaticTokens.open({ path: config.tokensFile, clock, log }) },
      {
        provide: Ledger,
        inject: [DataSource],
        useFactory: (dataSource: DataSource) => {
          // A broker that is away is no reason not to be asked: the ledger holds the events until it is back.
          health.addReadiness('database', async () => void (await dataSource.query('select 1')));
          return new Ledger(dataSource);
        },
      },
      {
        provide: Reads,
        inject: [DataSource, Ledger],
        useFactory: (dataSource: DataSource, ledger: Ledger) =>
          new Reads(dataSource, new Views(dataSource, ledger), clock),
      },
      {
        provide: Commands,
        inject: [DataSource, Ledger],
        useFactory: (dataSource: DataSource, ledger: Ledger) =>
          new Commands(ledger, ids, new Credentials(dataSource, config.secretKey), config.copyRegions),
      },
    ],
  };
}
