/** `strongroom completion`: prints what has a shell complete the commands. */
import { Argument, type Command } from 'commander';
import { completionScript, type Shell, shells } from './completion.js';
import { say } from './output.js';

export function addCompletion(program: Command): void {
  program
    .command('completion')
    .description('Print what has a shell complete the commands. The first lines of it say where it belongs.')
    .addArgument(new Argument('<shell>', 'the shell').choices(shells))
    .action((shell: Shell) => say(completionScript(shell, program).trimEnd()));
}
