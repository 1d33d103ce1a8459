/** The database of the ledger, opened for a command. Only what is loaded when it is asked for may import this: the other commands start fast. */
import { messageOf } from '@strongroom/contracts';
import { createDataSource, type DatabaseOptions } from '@strongroom/database';
import type { DataSource } from 'typeorm';
import { AdvisedFault } from './command-fault.js';
import { databaseUrl } from './database-options.js';

/**
 * Does work on the database, and closes it then.
 * @throws {UsageFault} when no database is named
 * @throws {AdvisedFault} when it lets nobody in
 */
export async function onDatabase<T>(
  options: Omit<DatabaseOptions, 'url'>,
  work: (dataSource: DataSource) => Promise<T>,
): Promise<T> {
  const dataSource = createDataSource({ ...options, url: databaseUrl() });
  try {
    await dataSource.initialize();
  } catch (error) {
    throw notLetIn(error);
  }
  try {
    return await work(dataSource);
  } finally {
    await dataSource.destroy();
  }
}

function notLetIn(error: unknown): AdvisedFault {
  return new AdvisedFault(
    `The database of the ledger does not let us in: ${messageOf(error)}.`,
    'See what it lacks: strongroom doctor --only database',
    error,
  );
}
