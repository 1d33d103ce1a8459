/** `strongroom limits`. What needs the database is loaded when it is asked for: the other commands start fast. */
import type { Command } from 'commander';

export function addLimits(program: Command): void {
  const limits = program
    .command('limits')
    .description(
      'Limit what is transferred, while everything runs. The services take a limit that is set within seconds. Needs STRONGROOM_DATABASE_URL, with the role of the owner.',
    );
  limits
    .command('list')
    .description('Show the limits that were set. Those of STRONGROOM_TRANSFER_LIMITS count where none is.')
    .option('--json', 'print them as JSON, in bytes a second')
    .action(async (options: { json?: boolean }) => (await import('./limits.js')).list(options));
  limits
    .command('set')
    .description(
      'Limit the vault of a region (ORD), what all copies bring from one region to another (DFW:ORD), or each process by itself (process).',
    )
    .argument('<what>', 'a region, a pair of regions, or process')
    .argument('<rate>', 'MiB a second, or none: no limit, whatever the settings say')
    .action(async (what: string, rate: string) => (await import('./limits.js')).set(what, rate));
  limits
    .command('unset')
    .description('Have the settings count again.')
    .argument('<what>', 'a region, a pair of regions, or process')
    .action(async (what: string) => (await import('./limits.js')).unset(what));
}
