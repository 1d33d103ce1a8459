/**
 * `strongroom apply` and `strongroom diff`: the schedules of the account as a file has them. What is to change is found anew each time, so a second
 * call changes nothing, and one that was ended in the middle is followed by one that does the rest.
 */
import type { Command } from 'commander';
import { withConnection } from './api-options.js';
import type { ApplyOptions, DiffOptions } from './apply.js';

export function addApply(program: Command): void {
  withFile(program.command('diff'))
    .description(
      'Print what apply would change. Ends with 0 when nothing would, with 1 when something would, and with more than 1 when that is not known.',
    )
    .action(async (options: DiffOptions) => (await import('./apply.js')).diff(options));
  withFile(program.command('apply'))
    .description(
      'Have the schedules of the account as a YAML file says: make those that lack, and change those that differ. What the file leaves out stays as it is. It asks first. schedule export writes such a file.',
    )
    .option('--dry-run', 'only print what would change, and end as diff does')
    .option('--yes', 'do it without being asked')
    .action(async (options: ApplyOptions) => (await import('./apply.js')).apply(options));
}

function withFile(command: Command): Command {
  return withConnection(
    command
      .requiredOption('-f, --file <path>', 'the file, or - for the standard input')
      .option('--prune', 'also delete the schedules that the file does not have. Their backups stay'),
  )
    .option('--json', 'print the changes as JSON')
    .option('--plain', 'print lines with tabs between the fields, and no headings')
    .option('--no-input', 'ask nobody anything');
}
