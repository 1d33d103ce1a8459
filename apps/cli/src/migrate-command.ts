/** `strongroom migrate`: brings the schema of the ledger's database up to date, and gives the services' roles their rights. */
import type { Command } from 'commander';
import { say } from './output.js';

export function addMigrate(program: Command): void {
  program
    .command('migrate')
    .description(
      "Bring the schema of the ledger's database up to date, and give the roles of the services their rights. Needs STRONGROOM_DATABASE_URL, with the role that owns the database. It may run while the services run.",
    )
    .action(async () => {
      // It is loaded when it is asked for: the other commands start fast.
      const [{ onDatabase }, { forMigrations, migrateAsOwner, roleOf }] = await Promise.all([
        import('./open-database.js'),
        import('@strongroom/database'),
      ]);
      const served = await onDatabase({ ...forMigrations, applicationName: 'strongroom-migrate' }, migrateAsOwner);
      const told =
        served.length > 0
          ? `Rights were given to ${served.map(roleOf).join(', ')}.`
          : 'No service has a role of its own here: docs/operations.md says how to make them.';
      say(`The schema is up to date. ${told}`);
    });
}
