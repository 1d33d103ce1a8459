/** Gives an app a connected data source, on a schema that is up to date. */
import type { DynamicModule } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { type AppConfig, type RuntimeParts, waitFor } from '@strongroom/runtime';
import type { DataSource, EntitySchema } from 'typeorm';
import { checkDatabase, SessionFault } from './check-database.js';
import { createDataSource, dataSourceOptions, migrate } from './data-source.js';
import type { ServiceName } from './grants.js';
import { mustBeUpToDate, mustOwnSchema, ownsSchema } from './schema-state.js';

/** The module by which an app's `DataSource` can be injected. */
export function databaseModule({ app, databaseUrl }: AppConfig, entities: EntitySchema[] = []): DynamicModule {
  return TypeOrmModule.forRoot({
    ...dataSourceOptions({ url: databaseUrl, applicationName: `strongroom-${app}`, entities }),
    retryAttempts: 10,
    retryDelay: 1_000,
  });
}

/** A migration may take long on a large ledger, and other processes wait for its lock meanwhile. */
export const forMigrations = { poolSize: 2, longestStatementMs: 0 } as const;

/**
 * Brings the schema up to date over a connection of its own, as the owner of the database. It waits for nothing.
 * @returns the services that have a role of their own
 * @throws {NotOwnerFault}
 */
export async function migrateDatabase(url: string, applicationName: string): Promise<ServiceName[]> {
  const dataSource = createDataSource({ ...forMigrations, url, applicationName });
  await dataSource.initialize();
  try {
    return await migrateAsOwner(dataSource);
  } finally {
    await dataSource.destroy();
  }
}

/** As `migrateDatabase`, over a connection that is there already. @throws {NotOwnerFault} */
export async function migrateAsOwner(dataSource: DataSource): Promise<ServiceName[]> {
  await mustOwnSchema(dataSource);
  return migrate(dataSource);
}

const ownsAll =
  "the service has a role that owns the ledger's tables: whoever takes the service over may change what was recorded. Give each service a role of its own: docs/operations.md, Roles of the database";

/**
 * Waits for the database. A service whose role owns the schema brings it up to date; any other waits until somebody has done that. An
 * app calls it as `prepare`, before its module is made.
 */
export async function prepareDatabase(
  { config, log }: Pick<RuntimeParts, 'config' | 'log'>,
  stopping: AbortSignal,
): Promise<void> {
  await waitFor(
    'the database',
    async () => {
      await checkDatabase(config.databaseUrl, log);
      const dataSource = createDataSource({
        url: config.databaseUrl,
        applicationName: `strongroom-${config.app}`,
        poolSize: 2,
        // A migration may take long on a large ledger, and other processes wait for its lock meanwhile.
        longestStatementMs: 0,
      });
      await dataSource.initialize();
      try {
        if (!(await ownsSchema(dataSource))) return await mustBeUpToDate(dataSource);
        await migrate(dataSource);
        log.warn(ownsAll);
      } finally {
        await dataSource.destroy();
      }
    },
    log,
    // Waiting mends no set-up in which the database can't be used.
    { signal: stopping, passes: (error) => !(error instanceof SessionFault) },
  );
}
