/**
 * Statements that a connection parses and plans once, for the paths that everybody takes. A session keeps them by name, so a name stands
 * for one text for ever: it is made of the text.
 */
import { createHash } from 'node:crypto';
import type { DataSource } from 'typeorm';

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
    const session: Session = await runner.connect();
    return (await session.query({ name: nameOf(text), text, values })).rows;
  } finally {
    await runner.release();
  }
}

function nameOf(text: string): string {
  const known = names.get(text);
  if (known !== undefined) return known;
  const name = `s_${createHash('sha256').update(text).digest('hex').slice(0, 32)}`;
  names.set(text, name);
  return name;
}
