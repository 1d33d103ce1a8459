/** `strongroom schedule preview`: what a change of a schedule would run, keep, delete and copy. */
import {
  type PreviewedBackupResource,
  type PreviewedRunResource,
  postSchedulesIdPreview,
  type SchedulePreviewResource,
} from '@strongroom/contracts';
import type { Command } from 'commander';
import { UsageFault } from '../command-fault.js';
import { note, say, sayJson } from '../output.js';
import { type ApiOptions, ofApi, withId } from './api-options.js';
import { type Column, printRows } from './printing.js';
import { inSession } from './session.js';
import { changeOf, ofTiming, type TimingOptions } from './timing-options.js';

type PreviewOptions = ApiOptions & TimingOptions;
type Copies = SchedulePreviewResource['copies'][number];

const runs: readonly Column<PreviewedRunResource>[] = [
  { title: 'SLOT', of: ({ slot }) => slot },
  { title: 'RUNS', of: ({ outcome }) => outcome },
  { title: 'WITHOUT THE CHANGE', of: ({ unchanged }) => unchanged },
  { title: 'WHY', of: ({ reason }) => reason },
];
const backups: readonly Column<PreviewedBackupResource>[] = [
  { title: 'BACKUP', of: ({ id }) => id },
  { title: 'SLOT', of: ({ slot }) => slot },
  { title: 'TYPE', of: ({ type }) => type },
  { title: 'WITH THE CHANGE', of: ({ after }) => fateOf(after) },
  { title: 'WITHOUT IT', of: ({ unchanged }) => fateOf(unchanged) },
  { title: 'DIFFERS', of: ({ differs }) => differs },
  { title: 'WHY', of: ({ after }) => after.reason },
];
const copies: readonly Column<Copies>[] = [
  { title: 'REGION', of: ({ region }) => region },
  { title: 'CHANGE', of: ({ change }) => change },
  { title: 'FROM SLOT', of: ({ from_slot }) => from_slot },
  { title: 'KEPT THERE', of: ({ kept }) => kept },
  { title: 'WHY', of: ({ reason }) => reason },
];

export function addPreview(group: Command): void {
  withId(ofTiming(ofApi(group.command('preview'))), 'schedule')
    .description('Say what a change would run, keep, delete and copy, with the options of update. It changes nothing.')
    .action((id: string, options: PreviewOptions) =>
      inSession(options, 'schedule', async (session) => {
        const schedule = changeOf(options);
        if (Object.keys(schedule).length === 0)
          throw new UsageFault('Nothing is to change.', 'Say what is, such as --at 14:30.');
        const answer = await session.ask(postSchedulesIdPreview, { id, body: { schedule } });
        show(answer, options);
        if (answer.links.some(({ rel }) => rel === 'next') && !options.json)
          note('These are the newest backups. --json has the link to older ones.');
      }),
    );
}

function show(document: { preview: SchedulePreviewResource }, options: ApiOptions): void {
  const { preview } = document;
  if (options.json) {
    sayJson(document, 2);
    return;
  }
  if (options.plain) {
    printRows(document, preview.runs, named('run', runs), options);
    printRows(document, preview.backups, named('backup', backups), options);
    printRows(document, preview.copies, named('copies', copies), options);
    return;
  }
  printSection('Runs to come', preview.runs, runs, options);
  printSection('Backups that are there', preview.backups, backups, options);
  if (preview.copies.length > 0) printSection('Copies', preview.copies, copies, options);
  const { deleted, differs, kept } = preview.summary;
  note(`Up to ${preview.until}, ${kept} backups stay and ${deleted} go. The change makes a difference to ${differs}.`);
}

function printSection<Item>(
  title: string,
  items: readonly Item[],
  columns: readonly Column<Item>[],
  options: ApiOptions,
): void {
  say(`${title}:`);
  printRows(items, items, columns, options);
  say('');
}

/** The columns behind one that says what the line is about. */
function named<Item>(kind: string, columns: readonly Column<Item>[]): Column<Item>[] {
  return [{ title: 'KIND', of: () => kind }, ...columns];
}

function fateOf({ is, deleted_at }: PreviewedBackupResource['after']): string {
  return deleted_at === null ? is : `${is} ${deleted_at}`;
}
