/** The gateway's parts. */
import { type DynamicModule, Module } from '@nestjs/common';
import { Credentials } from '@strongroom/credentials';
import { createDataSource } from '@strongroom/database';
import { engineFor } from '@strongroom/engines';
import { Identity, KeystoneTokens, StaticTokens } from '@strongroom/identity';
import { Ledger } from '@strongroom/ledger';
import { Views, viewTables } from '@strongroom/read-model';
import type { ConfigOf, IdentityConfig, RuntimeParts } from '@strongroom/runtime';
import { DataSource } from 'typeorm';
import { Incrementals } from './backups/incrementals.js';
import { BackupsController } from './backups/routes.js';
import { Commands } from './commands.js';
import { IdempotentRequests } from './edge/idempotent-requests.js';
import { LateDatabase } from './edge/late-database.js';
import { Paging } from './edge/paging.js';
import { RateLimits } from './edge/rate-limits.js';
import { EventStreams } from './events/event-streams.js';
import { EventsController } from './events/routes.js';
import { InstancesController } from './instances/routes.js';
import { Reads } from './reads.js';
import { SchedulesController } from './schedules/routes.js';
import { Housekeeping } from './service/housekeeping.js';
import { ServiceController } from './service/routes.js';

@Module({})
class ApiModule {}

function identityOf(config: IdentityConfig, { clock, log }: RuntimeParts): Identity | Promise<Identity> {
  if (config.kind === 'keystone') return new KeystoneTokens({ ...config, clock });
  return StaticTokens.open({ path: config.tokensFile, clock, log });
}

/** A client is told that the database does not answer while it still listens. */
const longestStatementMs = 8_000;

export function apiModule(parts: RuntimeParts<ConfigOf['api']>): DynamicModule {
  const { config, log, clock, ids, health } = parts;
  return {
    module: ApiModule,
    controllers: [ServiceController, SchedulesController, BackupsController, InstancesController, EventsController],
    providers: [
      { provide: Identity, useFactory: () => identityOf(config.identity, parts) },
      {
        provide: DataSource,
        useFactory: () => {
          const applicationName = `strongroom-${config.app}`;
          const dataSource = createDataSource({
            url: config.databaseUrl,
            applicationName,
            entities: viewTables,
            longestStatementMs,
          });
          // A broker that is away is no reason not to be asked: the ledger holds the events until it is back.
          health.addReadiness('database', async () => void (await dataSource.query('select 1')));
          return dataSource;
        },
      },
      {
        provide: LateDatabase,
        inject: [DataSource],
        useFactory: (dataSource: DataSource) => new LateDatabase(dataSource, parts),
      },
      { provide: Paging, useFactory: () => new Paging(config) },
      { provide: Ledger, inject: [DataSource], useFactory: (dataSource: DataSource) => new Ledger(dataSource) },
      {
        provide: Reads,
        inject: [DataSource, Ledger],
        useFactory: (dataSource: DataSource, ledger: Ledger) =>
          new Reads(dataSource, new Views(dataSource, ledger), clock, config.homeRegion),
      },
      {
        provide: Commands,
        inject: [DataSource, Ledger],
        useFactory: (dataSource: DataSource, ledger: Ledger) =>
          new Commands(ledger, ids, new Credentials(dataSource, config.secretKey), config),
      },
      {
        provide: Incrementals,
        inject: [DataSource, Reads],
        useFactory: (dataSource: DataSource, reads: Reads) =>
          new Incrementals(reads, new Credentials(dataSource, config.secretKey), engineFor, log),
      },
      {
        provide: RateLimits,
        inject: [DataSource],
        useFactory: (dataSource: DataSource) => new RateLimits(dataSource, config.rateLimits),
      },
      {
        provide: IdempotentRequests,
        inject: [DataSource, Ledger],
        useFactory: (dataSource: DataSource, ledger: Ledger) =>
          new IdempotentRequests({ dataSource, ledger, ids, clock, secretKey: config.secretKey }),
      },
      {
        provide: Housekeeping,
        inject: [IdempotentRequests, DataSource],
        useFactory: (requests: IdempotentRequests, dataSource: DataSource) =>
          new Housekeeping(requests, dataSource, log),
      },
      {
        provide: EventStreams,
        inject: [Ledger, Identity],
        useFactory: (ledger: Ledger, identity: Identity) => new EventStreams({ ledger, identity, log }),
      },
    ],
  };
}
