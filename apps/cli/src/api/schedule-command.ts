/** `strongroom schedule`: when backups are taken, and where each is copied to. */
import {
  deleteSchedulesId,
  getSchedules,
  getSchedulesId,
  getSchedulesIdRuns,
  postSchedules,
  putSchedulesId,
  type RunResource,
  type ScheduleResource,
} from '@strongroom/contracts';
import type { Command } from 'commander';
import { UsageFault } from '../command-fault.js';
import { note } from '../output.js';
import {
  type ApiOptions,
  type ChangeOptions,
  type DestructiveOptions,
  idArgument,
  type ListOptions,
  ofApi,
  ofChange,
  ofDestruction,
  ofList,
  withId,
} from './api-options.js';
import { isToBeAsked, mustBeConfirmed } from './confirm.js';
import { addPreview } from './preview-command.js';
import { type Column, printList, printOne } from './printing.js';
import { inSession, type Session } from './session.js';
import { changeOf, days, ofTiming, restOf, type TimingOptions } from './timing-options.js';
import { newestRun, ofWaiting, type WaitOptions, waitFor } from './waiting.js';

type NewOptions = ChangeOptions & TimingOptions & Required<Pick<TimingOptions, 'at' | 'fullOn'>> & { instance: string };

const two = (number: number) => String(number).padStart(2, '0');
const inUtc = (zoneless: string | null) => (zoneless === null ? null : `${zoneless}Z`);
const columns: readonly Column<ScheduleResource>[] = [
  { title: 'SCHEDULE', of: ({ id }) => id },
  { title: 'INSTANCE', of: ({ instance_id }) => instance_id },
  { title: 'AT (UTC)', of: ({ hour, minute }) => `${two(hour)}:${two(minute)}` },
  { title: 'FULL ON', of: ({ day_of_week }) => days[day_of_week] },
  { title: 'COPIES TO', of: ({ copy_to }) => copy_to.join(',') },
  { title: 'STATE', of: stateOf },
  { title: 'NEXT RUN', of: ({ next_run }) => inUtc(next_run) },
];
const fields: readonly Column<ScheduleResource>[] = [
  ...columns,
  { title: 'LAST SCHEDULED', of: ({ last_scheduled }) => inUtc(last_scheduled) },
  { title: 'FULLS KEPT', of: ({ full_backup_retention }) => full_backup_retention },
  { title: 'PAUSED BECAUSE', of: ({ pause_reason }) => pause_reason },
  { title: 'CREATED', of: ({ created }) => inUtc(created) },
  { title: 'FAULT', of: ({ fault }) => fault?.message },
];
const runColumns: readonly Column<RunResource>[] = [
  { title: 'SLOT', of: ({ slot }) => slot },
  { title: 'OUTCOME', of: ({ outcome }) => outcome },
  { title: 'TYPE', of: ({ type }) => type },
  { title: 'BACKUP', of: ({ backup_id }) => backup_id },
  { title: 'STATUS', of: ({ backup_status }) => backup_status },
  { title: 'COPIES', of: ({ copies }) => copies.map(({ region, status }) => `${region}:${status}`).join(',') },
  { title: 'WHY', of: ({ reason, fault }) => reason ?? fault?.message },
];

export function addSchedule(program: Command): void {
  const group = program.command('schedule').description('Say when backups are taken, and where each is copied to.');
  addReading(group);
  addPreview(group);
  addChanging(group);
}

function addReading(group: Command): void {
  ofList(group.command('list'))
    .description('List the schedules, by id.')
    .option('--instance <id>', 'only that of an instance', idArgument)
    .action((options: ListOptions & { instance?: string }) =>
      inSession(options, 'schedule', (session) => {
        const instance_id = options.instance;
        const page = (query: object) => session.ask(getSchedules, { query: { ...query, instance_id } });
        return printList({ name: 'schedules', page, items: ({ schedules }) => schedules, columns }, options);
      }),
    );
  ofApi(group.command('export'))
    .description('Print all schedules as the YAML file that strongroom apply reads.')
    .action(async (options: ApiOptions) => (await import('./apply.js')).exportSchedules(options));
  withId(ofApi(group.command('show')), 'schedule')
    .description('Show a schedule.')
    .action((id: string, options: ChangeOptions) =>
      inSession(options, 'schedule', async (session) => show(await session.ask(getSchedulesId, { id }), options)),
    );
  withId(ofList(group.command('runs')), 'schedule')
    .description(
      'List what became of its slots: the coming one first, then the newest. Why one did not run: strongroom explain.',
    )
    .action((id: string, options: ListOptions) =>
      inSession(options, 'schedule', (session) => {
        const page = (query: object) => session.ask(getSchedulesIdRuns, { id, query });
        return printList({ name: 'runs', page, items: ({ runs }) => runs, columns: runColumns }, options);
      }),
    );
}

function addChanging(group: Command): void {
  ofTiming(
    ofChange(group.command('create')).description(
      'Schedule the backups of an instance: one each day, a full one once a week.',
    ),
    { isNew: true },
  )
    .requiredOption('--instance <id>', 'the instance', idArgument)
    .action((options: NewOptions) =>
      inSession(options, 'schedule', async (session) => {
        const { at, fullOn } = options;
        const timing = { ...at, day_of_week: fullOn, ...restOf(options) };
        const schedule = { action: 'backup' as const, instance_id: options.instance, ...timing };
        const answer = await session.change(postSchedules, { body: { schedule } });
        if (answer) show(answer.body, options);
      }),
    );
  withId(
    ofTiming(ofChange(group.command('update')).description('Change a schedule. What is not given stays as it is.')),
    'schedule',
  ).action((id: string, options: ChangeOptions & TimingOptions) =>
    inSession(options, 'schedule', async (session) => {
      const schedule = changeOf(options);
      if (Object.keys(schedule).length === 0)
        throw new UsageFault('Nothing is to change.', 'Say what is, such as --at 14:30.');
      await update(session, id, schedule, `Schedule ${id} is changed.`);
    }),
  );
  withId(ofChange(group.command('pause')), 'schedule')
    .description('Let no slot of a schedule run until it is resumed.')
    .option('--reason <text>', 'why: the schedule, its events and the audit show it')
    .action((id: string, options: ChangeOptions & { reason?: string }) =>
      inSession(options, 'schedule', (session) =>
        update(
          session,
          id,
          { paused: true, ...(options.reason !== undefined && { pause_reason: options.reason }) },
          `Schedule ${id} is paused. To go on: strongroom schedule resume ${id}`,
        ),
      ),
    );
  withId(ofChange(group.command('resume')), 'schedule')
    .description('Let the slots of a schedule run again.')
    .action((id: string, options: ChangeOptions) =>
      inSession(options, 'schedule', (session) => update(session, id, { paused: false }, `Schedule ${id} runs again.`)),
    );
  withId(ofWaiting(ofChange(group.command('run'))), 'schedule')
    .description(
      'Take a full backup now, as the schedule says. It has no slot, so schedule runs does not list it, and backup list does. Ends with 11 while another backup of the instance is taken.',
    )
    .action((id: string, options: ChangeOptions & WaitOptions) =>
      inSession(options, 'schedule', (session) => run(session, id, options)),
    );
  withId(ofDestruction(group.command('delete')), 'schedule')
    .description('Delete a schedule. Its backups stay.')
    .action((id: string, options: DestructiveOptions) =>
      inSession(options, 'schedule', async (session) => {
        if (isToBeAsked(options)) {
          const { schedule } = await session.ask(getSchedulesId, { id });
          const what = `Schedule ${id} of instance ${schedule.instance_id} will be deleted. Its backups stay.`;
          await mustBeConfirmed(what, [id], options);
        }
        if (await session.change(deleteSchedulesId, { id })) note(`Schedule ${id} is deleted. Its backups stay.`);
      }),
    );
}

type Change = Parameters<Session['client']['schedules']['update']>[1];

async function update(session: Session, id: string, schedule: Change, done: string): Promise<void> {
  if (await session.change(putSchedulesId, { id, body: { schedule } })) note(done);
}

async function run(session: Session, id: string, options: ChangeOptions & WaitOptions): Promise<void> {
  const { schedule } = await session.ask(getSchedulesId, { id });
  const before = await newestRun(session, schedule);
  if (!(await session.change(putSchedulesId, { id, body: { schedule: { run_now: true } } }))) return;
  const backup = await newestRun(session, schedule, before?.id);
  if (!backup) return note(`The run is asked for. See it: strongroom backup list --instance ${schedule.instance_id}`);
  await waitFor(session, backup, schedule.copy_to, options);
}

function stateOf({ paused, running, fault }: ScheduleResource): string {
  if (fault) return 'fault';
  if (running) return 'running';
  return paused ? 'paused' : 'active';
}

function show(document: { schedule: ScheduleResource }, options: ChangeOptions): void {
  printOne(document, document.schedule, fields, options);
}
