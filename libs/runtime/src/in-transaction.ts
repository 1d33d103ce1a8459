/**
 * Does work in a transaction, for somebody who waits for its result. The database ends the session of a process that was silent for too
 * long between two statements. Nothing of the work is done then, so it is done once more.
 */
import type { DataSource, EntityManager } from 'typeorm';

/** What TypeORM throws instead of sending a statement when the session has ended. */
const unsent = new Set(['QueryRunnerAlreadyReleasedError', 'QueryRunnerProviderAlreadyReleasedError']);
/** The server's answer to a statement that came after it had ended the silent session. */
const idleInTransaction = '25P03';

/**
 * @param work changes nothing but the database, because it may be done twice
 * @param isolation what the statements see. Default: each sees what was committed before it
 */
export async function inTransaction<Result>(
  dataSource: Pick<DataSource, 'transaction'>,
  work: (manager: EntityManager) => Promise<Result>,
  isolation?: 'REPEATABLE READ',
): Promise<Result> {
  const once = () => (isolation ? dataSource.transaction(isolation, work) : dataSource.transaction(work));
  try {
    return await once();
  } catch (error) {
    if (!isOfSilence(error)) throw error;
  }
  return once();
}

function isOfSilence(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return unsent.has(error.name) || ('code' in error && error.code === idleInTransaction);
}
