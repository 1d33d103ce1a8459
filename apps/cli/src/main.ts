#!/usr/bin/env node
/** The command line. It ends with 0 when done, 1 when it failed, 2 when the call was wrong, 3 when verify had no server to try. */
import '@strongroom/runtime/free-this-process';
import { messageOf } from '@strongroom/contracts';
import { Command, CommanderError } from 'commander';
import { addKeys } from './keys-command.js';
import { addLedger } from './ledger-command.js';
import { addLetters } from './letters-command.js';
import { addLimits } from './limits-command.js';
import { addList } from './list-command.js';
import { addMigrate } from './migrate-command.js';
import { note } from './output.js';
import { addRestore } from './restore-command.js';
import { addShow } from './show-command.js';
import { addVault } from './vault-command.js';
import { UsageFault } from './vault-options.js';
import { addVerify } from './verify-command.js';
import { addViews } from './views-command.js';

const program = new Command('strongroom')
  .description(
    'Work with the backups in a vault. Needs the vault and nothing else: every service may be down. Beside that, look after the database of the ledger.',
  )
  .addHelpText(
    'after',
    `
Examples:
  strongroom list    --from IAD
  strongroom restore 0192f0c1-5b7e-7c3a-9d5e-0c8f6a1b2c3d --from IAD --to ./restored
  strongroom verify  0192f0c1-5b7e-7c3a-9d5e-0c8f6a1b2c3d --from IAD --vault IAD=file:///vaults/IAD

Exit codes: 0 it was done, 1 it could not be done, 2 the call was wrong, 3 verify --restore found no server to start.`,
  )
  .showHelpAfterError('(strongroom --help shows the commands)')
  .exitOverride();
for (const add of [
  addList,
  addRestore,
  addVerify,
  addShow,
  addMigrate,
  addKeys,
  addLedger,
  addLetters,
  addLimits,
  addViews,
  addVault,
])
  add(program);
for (const command of program.commands)
  command.exitOverride().showHelpAfterError(`(strongroom ${command.name()} --help shows the options)`);

/** What a shell tells of a program that wrote to a pipe which nobody reads any more: 128 and the number of SIGPIPE. */
const nobodyReads = 141;
for (const output of [process.stdout, process.stderr])
  output.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(nobodyReads);
    throw error;
  });

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else {
    note(`strongroom: ${messageOf(error)}`);
    process.exitCode = error instanceof UsageFault ? 2 : 1;
  }
}
/** How long an operation of a file system may still take after the command has failed, in milliseconds. */
const lingerMs = 1_000;
// Node waits for its threads before it exits, and one that reads a vault that hangs never ends.
setTimeout(() => {
  if (process.getActiveResourcesInfo().some((name) => name.startsWith('FSReq'))) process.kill(process.pid, 'SIGKILL');
}, lingerMs).unref();
