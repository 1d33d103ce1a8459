/**
 * Statements that a connection parses and plans once, for the paths that everybody takes. A session keeps them by name, so a name stands
 * for one text for ever: it is made of the text.
 */
import { createHash } from 'node:crypto';
import { type DataSource, type EntityManager, type QueryRunner, QueryRunnerAlreadyReleasedError } from 'typeorm';

/** What is used of the driver's client. */
interface Session {
  query(statement: { name: string; text: string; values: readonly unknown[] }): Promise<{ rows: unknown[] }>;
}

const names = new Map<string, string>();

/** @param text one of a few: each stays with every connection that has run it */
export async function prepared(
  dataSource: Pick<DataSource, 'createQueryRunner'>,
  text: string,
  values: readonly unknown[],
): Promise<unknown[]> {
  const runner = dataSource.createQueryRunner();
  try {
    return await run(runner, text, values);
  } finally {
    await runner.release();
  }
}

/** As `prepared`, within the manager's transaction, if it has one. @throws {QueryRunnerAlreadyReleasedError} when its session has ended */
export function preparedWithin(manager: EntityManager, text: string, values: readonly unknown[]): Promise<unknown[]> {
  return manager.queryRunner ? run(manager.queryRunner, text, values) : prepared(manager.dataSource, text, values);
}

async function run(runner: QueryRunner, text: string, values: readonly unknown[]): Promise<unknown[]> {
  if (runner.isReleased) throw new QueryRunnerAlreadyReleasedError();
  const session: Session = await runner.connect();
  // What reads the log of statements sees these too.
  runner.dataSource.logger.logQuery(text, [...values], runner);
  return (await session.query({ name: nameOf(text), text, values })).rows;
}

/**
 * A literal limit for SQL that is no smaller than a limit, and is one of a few. PostgreSQL takes a limit that is a parameter for a tenth of all
 * rows, finds the prepared plan too dear, and plans anew each time. Below a literal limit it does not.
 */
export function boundFor(limit: number): number {
  return 2 ** (32 - Math.clz32(limit));
}

/**
 * Gives the same text for the same parts, which are a few conditions. A text of some kilobytes that is put together for each read costs far more
 * than its parts: its name is looked up by all of its letters, and the driver compares them once more.
 */
export function madeOnce<Parts extends readonly (string | number)[]>(
  make: (...parts: Parts) => string,
): (...parts: Parts) => string {
  const made = new Map<string, string>();
  return (...parts) => {
    // No SQL has this character.
    const key = parts.join('\0');
    const known = made.get(key);
    if (known !== undefined) return known;
    const text = make(...parts);
    made.set(key, text);
    return text;
  };
}

function nameOf(text: string): string {
  const known = names.get(text);
  if (known !== undefined) return known;
  const name = `s_${createHash('sha256').update(text).digest('hex').slice(0, 32)}`;
  names.set(text, name);
  return name;
}
