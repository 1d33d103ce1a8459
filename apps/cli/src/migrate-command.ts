/** `strongroom migrate`: brings the schema of the ledger's database up to date, and gives the services' roles their rights. */
import type { Command } from 'commander';
import { note, sayJson } from './output.js';

export function addMigrate(program: Command): void {
  program
    .command('migrate')
    .description(
      "Bring the schema of the ledger's database up to date, and give the roles of the services their rights. Needs STRONGROOM_DATABASE_URL, with the role that owns the database. It may run while the services run.",
    )
    .option('--json', 'print the roles that were given rights, as JSON')
    .action(async ({ json }: { json?: boolean }) => {
      // It is loaded when it is asked for: the other commands start fast.
      const [{ onDatabase }, { forMigrations, migrateAsOwner, roleOf }] = await Promise.all([
        import('./open-database.js'),
        import('@strongroom/database'),
      ]);
      const served = await onDatabase({ ...forMigrations, applicationName: 'strongroom-migrate' }, migrateAsOwner);
      const roles = served.map(roleOf);
      const told =
        roles.length > 0
          ? `Rights were given to ${roles.join(', ')}.`
          : 'No service has a role of its own here: docs/operations.md says how to make them.';
      note(`The schema is up to date. ${told}`);
      if (json) sayJson({ roles }, 2);
    });
}
