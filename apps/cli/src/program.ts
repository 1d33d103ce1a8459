/** The tree of all commands. The help, the pages and the completions are made from it. */
import { messageOf } from '@strongroom/contracts';
import { Command, CommanderError } from 'commander';
import { addApply } from './api/apply-command.js';
import { addBackup } from './api/backup-command.js';
import { addEvents } from './api/events-command.js';
import { addExplain } from './api/explain-command.js';
import { addInstance } from './api/instance-command.js';
import { addLogin } from './api/login-command.js';
import { addProfile } from './api/profile-command.js';
import { addRegion } from './api/region-command.js';
import { addRequest } from './api/request-command.js';
import { addSchedule } from './api/schedule-command.js';
import { addWebhook } from './api/webhook-command.js';
import { addCatalog } from './catalog-command.js';
import { CommandFault, Interrupted, withNext } from './command-fault.js';
import { addCompletion } from './completion-command.js';
import { addDoctor } from './doctor-command.js';
import { exitCodeOf } from './endings.js';
import { codesInShort } from './exit-codes.js';
import { addKeys } from './keys-command.js';
import { addLedger } from './ledger-command.js';
import { addLetters } from './letters-command.js';
import { addLimits } from './limits-command.js';
import { addList } from './list-command.js';
import { addMigrate } from './migrate-command.js';
import { nextAfter } from './next-step.js';
import { note } from './output.js';
import { addRestore } from './restore-command.js';
import { addShow } from './show-command.js';
import { addVault } from './vault-command.js';
import { addVerify } from './verify-command.js';
import { addViews } from './views-command.js';

/** The groups of the help, in the order in which people come for them. */
const groups: readonly { title: string; adds: readonly ((program: Command) => void)[] }[] = [
  {
    title: 'With the service:',
    adds: [
      addLogin,
      addProfile,
      addSchedule,
      addApply,
      addBackup,
      addInstance,
      addRegion,
      addExplain,
      addEvents,
      addWebhook,
      addRequest,
    ],
  },
  { title: 'With a vault alone; every service may be down:', adds: [addList, addShow, addVerify, addRestore] },
  {
    title: 'For operators, with the database or the disk:',
    adds: [addDoctor, addMigrate, addKeys, addLedger, addCatalog, addLetters, addLimits, addViews, addVault],
  },
  { title: 'For the shell:', adds: [addCompletion] },
];

export function strongroomProgram(): Command {
  const program = new Command('strongroom')
    .description('Schedule backups of database servers, see where they are, and restore them from a vault alone.')
    .addHelpText(
      'after',
      `
Examples:
  strongroom login --url https://backups.example.com --account acme
  strongroom schedule create --instance ID --at 14:30 --full-on sunday --copy-to IAD,ORD
  strongroom schedule run ID --wait
  strongroom explain ID
  strongroom verify 0192f0c1-5b7e-7c3a-9d5e-0c8f6a1b2c3d --from IAD --vault IAD=file:///vaults/IAD
  strongroom restore 0192f0c1-5b7e-7c3a-9d5e-0c8f6a1b2c3d --from IAD --to ./restored

Behind any command, --help shows what it takes.
Exit codes: ${codesInShort}.`,
    )
    .exitOverride();
  for (const { title, adds } of groups) {
    program.commandsGroup(title);
    for (const add of adds) add(program);
  }
  prepare(program, 'strongroom');
  return program;
}

/** Does what a call says, tells of what went wrong and what is next, and sets the exit code of the process. */
export async function runStrongroom(args: readonly string[]): Promise<void> {
  try {
    await strongroomProgram().parseAsync(args, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) note(`strongroom: ${told(error)}`);
    process.exitCode = exitCodeOf(error);
  }
}

function told(error: unknown): string {
  if (error instanceof CommandFault || error instanceof Interrupted) return error.message;
  return withNext(messageOf(error), nextAfter(error));
}

/** Has a wrong call of any command end here, with the way to its help. @param path the words that lead to the command */
function prepare(command: Command, path: string): void {
  const shows = command.commands.length > 0 ? 'commands' : 'options';
  command.exitOverride().showHelpAfterError(`(${path} --help shows the ${shows})`);
  for (const each of command.commands) prepare(each, `${path} ${each.name()}`);
}
