#!/usr/bin/env node
/** The command line. Exit codes: 0 done, 1 it could not be done, 2 the call was wrong. */
import { Command, CommanderError } from 'commander';
import { addRestore } from './restore-command.js';
import { addShow } from './show-command.js';
import { UsageFault } from './vault-options.js';
import { addVerify } from './verify-command.js';

const program = new Command('strongroom')
  .description('Work with the backups in a vault. Needs the vault and nothing else: every service may be down.')
  .showHelpAfterError('(strongroom --help tells the calls)')
  .exitOverride();
for (const add of [addRestore, addVerify, addShow]) add(program);

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else {
    process.stderr.write(`strongroom: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = error instanceof UsageFault ? 2 : 1;
  }
}
