/** `strongroom ledger verify`. What needs the database is loaded when it is asked for: the other commands start fast. */
import type { Command } from 'commander';
import type { VerifyLedgerOptions } from './ledger-verification.js';

export function addLedger(program: Command): void {
  program
    .command('ledger')
    .description("Look after the ledger, in the services' database.")
    .command('verify')
    .description(
      'Read every event of the ledger, compute its link to the one before again, and say which is the first that is wrong. Needs STRONGROOM_DATABASE_URL, with a role that may read ledger_event.',
    )
    .option('--against <file>', 'heads that were exported earlier: the ledger must still have them')
    .option(
      '--only-new',
      'verify only what was recorded after the newest head of --against: for each day. Verify everything from time to time',
    )
    .option(
      '--export <file>',
      "add the ledger's head to this file, when nothing is wrong. Keep it where the database's owner can't write",
    )
    .option('--json', 'print the verdict as JSON')
    .action(async (options: VerifyLedgerOptions) => (await import('./ledger-verification.js')).verifyLedger(options));
}
