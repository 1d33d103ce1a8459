/** `strongroom limits`. What needs the database is loaded when it is asked for: the other commands start fast. */
import type { Command } from 'commander';
import type { PrintOptions } from './api/api-options.js';
import type { SetOptions, UnsetOptions } from './limits.js';

export function addLimits(program: Command): void {
  const limits = program
    .command('limits')
    .description(
      'Limit what is transferred, while everything runs. The services take a limit that is set within seconds. Needs STRONGROOM_DATABASE_URL, with the role of the owner.',
    );
  limits
    .command('list')
    .description(
      'Show the limits that were set. Those of STRONGROOM_TRANSFER_LIMITS and STRONGROOM_TRANSFERS_AT_A_TIME count where none is.',
    )
    .option('--json', 'print them as JSON, the rates in bytes a second')
    .option('--plain', 'print lines with tabs between the fields, the rates in bytes a second, and none for no limit')
    .action(async (options: PrintOptions) => (await import('./limits.js')).list(options));
  limits
    .command('set')
    .description(
      'Limit the vault of a region (ORD), what all copies bring from one region to another (DFW:ORD), or each process by itself (process). With --at-a-time, limit how many transfers of one process move bytes in the vault of a region at a time.',
    )
    .argument('<what>', 'a region, a pair of regions, or process')
    .argument('[rate]', 'MiB a second, or none: no limit, whatever the settings say')
    .option('--at-a-time <number>', 'transfers at a time, or none: as many as there are, whatever the settings say')
    .option('--json', 'print the limits that are set then, as list does')
    .action(async (what: string, rate: string | undefined, options: SetOptions) =>
      (await import('./limits.js')).set(what, rate, options),
    );
  limits
    .command('unset')
    .description('Have the settings count again, in the place of a limit that was set.')
    .argument('<what>', 'a region, a pair of regions, or process')
    .option('--at-a-time', 'for the number of transfers at a time, and not for the rate')
    .option('--json', 'print the limits that are set then, as list does')
    .action(async (what: string, options: UnsetOptions) => (await import('./limits.js')).unset(what, options));
}
