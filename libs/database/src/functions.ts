/**
 * The SQL functions of the schema. Each is one file of `functions/`, named for the function, and holds its newest form.
 * A migration installs it; a file that changes needs a new migration that installs it again.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { QueryRunner } from 'typeorm';

/** By function, the SHA-256 of the text that a migration was written to install. `functions.spec.ts` compares it. */
export type InstalledFunctions = Readonly<Record<string, string>>;

/**
 * Installs functions within a migration, each in its newest form. A database that runs the migration late gets the form of
 * today: PL/pgSQL looks up a function's tables only when it is called.
 */
export async function installFunctions(run: QueryRunner, functions: InstalledFunctions): Promise<void> {
  for (const name of Object.keys(functions)) {
    await run.query(readFileSync(join(import.meta.dirname, 'functions', `${name}.sql`), 'utf8'));
  }
}
