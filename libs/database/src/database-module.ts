/** Gives an app a connected data source, on a schema that is up to date. */
import type { DynamicModule } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { type AppConfig, type RuntimeParts, waitFor } from '@strongroom/runtime';
import type { EntitySchema } from 'typeorm';
import { checkDatabase, SessionFault } from './check-database.js';
import { createDataSource, dataSourceOptions, migrate } from './data-source.js';

/** The module by which an app's `DataSource` can be injected. */
export function databaseModule({ app, databaseUrl }: AppConfig, entities: EntitySchema[] = []): DynamicModule {
  return TypeOrmModule.forRoot({
    ...dataSourceOptions({ url: databaseUrl, applicationName: `strongroom-${app}`, entities }),
    retryAttempts: 10,
    retryDelay: 1_000,
  });
}

/** Waits for the database, then migrates it. An app calls it as `prepare`, before its module is made. */
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
        await migrate(dataSource);
      } finally {
        await dataSource.destroy();
      }
    },
    log,
    // Waiting mends no set-up in which the database can't be used.
    { signal: stopping, passes: (error) => !(error instanceof SessionFault) },
  );
}
