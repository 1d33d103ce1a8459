/** `strongroom catalog rebuild`. What needs the database is loaded when it is asked for: the other commands start fast. */
import type { Command } from 'commander';
import type { RebuildOptions } from './catalog/rebuild.js';
import { withIdentity } from './identity-options.js';
import { fromVault } from './vault-options.js';

export function addCatalog(program: Command): void {
  const catalog = program
    .command('catalog')
    .description("Have the ledger know what the vaults hold, in the services' database.");
  const rebuild = fromVault(catalog.command('rebuild')).description(
    "Record every backup of a vault that the ledger does not know, each as a backup of its account: after the ledger was lost, or was put back as it was some time ago. A backup that the ledger knows from another region becomes a copy, and what it knows there already stays as it is. Run it for each region, first for the one that most backups were made in. It may be stopped at any time, run again, and run while the services run. Retention deletes nothing of what it records. Of an encrypted backup, the server's version is known only to whoever has a key. Ends with 3 when a backup is not recorded, and says which and why. Needs STRONGROOM_DATABASE_URL, with the role of the scheduler or of the owner.",
  );
  withIdentity(rebuild)
    .option('--json', 'print what was recorded as JSON')
    .action(async (options: RebuildOptions) => (await import('./catalog/rebuild.js')).rebuildCatalog(options));
}
