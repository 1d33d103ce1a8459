/** `strongroom keys`. What needs the database is loaded when it is asked for: the other commands start fast. */
import type { Command } from 'commander';
import type { ListKeysOptions, RotateOptions } from './keys.js';
import { addNewKey } from './new-key-command.js';
import { addRewrap } from './rewrap-command.js';

const fileOption = [
  '--file <path>',
  'the file of the ring. Without it: STRONGROOM_SECRET_KEY_FILE, STRONGROOM_SECRET_KEY, else .strongroom/secrets.json',
] as const;

export function addKeys(program: Command): void {
  const keys = program
    .command('keys')
    .description('Look after the keys that seal the credentials of instances, and after those that open backups.');
  addNewKey(keys);
  addRewrap(keys);
  keys
    .command('list')
    .description(
      'Show the ids of the keys of STRONGROOM_SECRET_KEY, the newest first, and how many credentials are sealed under each.',
    )
    .option(...fileOption)
    .option('--json', 'print them as JSON')
    .option('--plain', 'print lines with tabs between the fields, and no headings')
    .action(async (options: ListKeysOptions) => (await import('./keys.js')).list(options));
  keys
    .command('rotate')
    .description(
      'Put a new key first in the ring. The services that read the file take it within seconds, and the API seals every credential anew under it. The former keys stay until they are dropped.',
    )
    .option(...fileOption)
    .option('--print', 'print the new ring instead of writing it: for a store of secrets')
    .option('--drop-unused', 'add no key, and drop the former keys under which no credential is sealed any more')
    .option('--json', 'print the ids of the keys as JSON, and with --print the ring')
    .action(async (options: RotateOptions) => (await import('./keys.js')).rotate(options));
}
