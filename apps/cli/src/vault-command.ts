/** `strongroom vault upgrade`: moves the vault of a folder into the layout of a store of objects, in its place. */
import { fileURLToPath } from 'node:url';
import { FolderUpgrade, VaultRoot } from '@strongroom/vault';
import type { Command } from 'commander';
import { Interrupted, UsageFault } from './command-fault.js';
import { note, say, sayJson } from './output.js';
import { megabytes, Progress } from './progress.js';
import { addressOf, fromVault, type VaultOptions } from './vault-options.js';

interface Options extends VaultOptions {
  dryRun?: true;
  json?: true;
}

export function addVault(program: Command): void {
  const vault = program.command('vault').description('Look after a vault.');
  fromVault(vault.command('upgrade'))
    .description(
      'Move the vault of a folder (file://) into the layout of a store of objects (objects://), in its place. Stop the services first. It may be stopped at any time and called again.',
    )
    .option('--dry-run', 'only say what there is to do')
    .option('--json', 'print what there is to do, or what was done, as JSON')
    .action(async (options: Options) => {
      const { from, dryRun, json } = options;
      const address = addressOf(options);
      if (address.protocol !== 'file:')
        throw new UsageFault(
          `The vault of ${from} is ${address.protocol}//, and only one of file:// is moved.`,
          `Name the folder: --vault ${from}=file:///path/of/the/vault`,
        );
      const upgrade = new FolderUpgrade(new VaultRoot(from, fileURLToPath(address)));
      const { backups, bytes, mostBytes, withoutPlace, isDone } = await upgrade.plan();
      const objects = `${from}=objects://${address.pathname}`;
      const tell = (moved: boolean, text: string) =>
        json
          ? sayJson({ region: from, backups, bytes, mostBytes, withoutPlace, moved, vault: objects }, 2)
          : moved
            ? note(text)
            : say(text);
      if (isDone)
        return tell(true, `The vault of ${from} lies as objects already. Write ${objects} in STRONGROOM_VAULTS.`);
      if (withoutPlace.length > 0)
        note(
          `These were stored by a version before states, and keep the vault from being moved: ${withoutPlace.join(', ')}`,
        );
      if (dryRun)
        return tell(
          false,
          `${backups} backups of ${megabytes(bytes)} are to be moved. ${megabytes(mostBytes)} must be free. Nothing was changed.`,
        );
      // Each byte is written once, and read back once.
      const progress = new Progress(`moving the vault of ${from}`, { json, total: 2 * bytes });
      const stop = new AbortController();
      for (const signal of ['SIGINT', 'SIGTERM'] as const)
        process.once(signal, () => stop.abort(new Interrupted(signal)));
      await upgrade.run({ progress: progress.add, signal: stop.signal }).finally(() => progress.end());
      tell(
        true,
        `${backups} backups were moved and compared, ${progress.summary}. Write ${objects} in STRONGROOM_VAULTS, and start the services.`,
      );
    });
}
