/** `strongroom dead-letters`. What needs the database is loaded when it is asked for: the other commands start fast. */
import type { Command } from 'commander';
import { atLeastOne, idArgument, withId } from './api/api-options.js';
import type { LetterListOptions, ReplayOptions } from './letters.js';

export function addLetters(program: Command): void {
  const letters = program
    .command('dead-letters')
    .description(
      'Look after the messages that a service could not handle and has set aside. Needs STRONGROOM_DATABASE_URL, with the role of the owner.',
    );
  letters
    .command('list')
    .description('List the letters that wait, the oldest first.')
    .option('--replayed', 'also those that were replayed in the last 30 days')
    .option('--limit <number>', 'how many at the most', atLeastOne, 100)
    .option('--json', 'print them as JSON')
    .option('--plain', 'print lines with tabs between the fields, and no headings')
    .action(async (options: LetterListOptions) => (await import('./letters.js')).list(options));
  withId(letters.command('show'), 'letter')
    .description('Print a letter with its error and its message.')
    .option('--json', 'print it as JSON')
    .action(async (id: string, options: { json?: boolean }) => (await import('./letters.js')).show(id, options));
  letters
    .command('replay')
    .description(
      'Have letters handled again, when their cause is mended. What an event has done once is not done twice.',
    )
    .argument('[id...]', 'the ids of the letters, UUIDs', (text: string, before: string[] | undefined) => [
      ...(before ?? []),
      idArgument(text),
    ])
    .option('--all', 'every letter that waits')
    .option('--wait', 'wait until each was handled, or has failed again')
    .option('--json', 'print what became of them as JSON')
    .action(async (ids: string[], options: ReplayOptions) => (await import('./letters.js')).replay(ids, options));
}
