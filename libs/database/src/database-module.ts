/** Gives an app its data source, connected, over a schema that is up to date. */
import type { DynamicModule } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { type AppConfig, type RuntimeParts, waitFor } from '@strongroom/runtime';
import type { EntitySchema } from 'typeorm';
import { createDataSource, dataSourceOptions, migrate } from './data-source.js';

/** For an app's modules: `DataSource` can be injected. */
export function databaseModule({ app, databaseUrl }: AppConfig, entities: EntitySchema[] = []): DynamicModule {
  return TypeOrmModule.forRoot({
    ...dataSourceOptions({ url: databaseUrl, applicationName: `strongroom-${app}`, entities }),
    retryAttempts: 10,
    retryDelay: 1_000,
  });
}

/** For an app's `prepare`: waits for the database, then migrates it. */
export async function prepareDatabase(
  { config, log }: Pick<RuntimeParts, 'config' | 'log'>,
  stopping: AbortSignal,
): Promise<void> {
  await waitFor(
    'the database',
    async () => {
      const dataSource = createDataSource({
        url: config.databaseUrl,
        applicationName: `strongroom-${config.app}`,
        poolSize: 2,
        // A migration takes as long as the ledger is large, and whoever waits for its lock waits with it.
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
    { signal: stopping },
  );
}
