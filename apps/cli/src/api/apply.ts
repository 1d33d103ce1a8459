/** What `apply`, `diff` and `schedule export` do. It is loaded when one of them is called: the other commands need no YAML. */
import { randomUUID } from 'node:crypto';
import { ApiFault } from '@strongroom/client';
import {
  deleteSchedulesId,
  getInstances,
  getRegions,
  getSchedules,
  messageOf,
  postSchedules,
  putSchedulesId,
} from '@strongroom/contracts';
import { AdvisedFault, CommandFault, IncompleteFault } from '../command-fault.js';
import { exitCodeOf } from '../endings.js';
import { endWith, exitCodes } from '../exit-codes.js';
import { nextAfter } from '../next-step.js';
import { note, sayJson, sayPart } from '../output.js';
import type { ApiOptions, DestructiveOptions } from './api-options.js';
import { isToBeAsked, mustBeConfirmed } from './confirm.js';
import { nameOf, textIn } from './given-file.js';
import { type Column, printRows } from './printing.js';
import { readSchedules, type ScheduleEntry, writtenSchedules } from './schedules-file.js';
import {
  entryOf,
  type FieldValue,
  type Found,
  namesOf,
  type Plan,
  type PlannedChange,
  planOf,
} from './schedules-plan.js';
import { sentAgain } from './sent-again.js';
import { inSession, type Session } from './session.js';
import { dayOf, timeOf } from './timing-options.js';

export interface DiffOptions extends ApiOptions {
  file: string;
  prune?: boolean;
}

export type ApplyOptions = DiffOptions & DestructiveOptions;

interface Row {
  change: PlannedChange;
  field: PlannedChange['fields'][number] | undefined;
}

const columns: readonly Column<Row>[] = [
  { title: 'CHANGE', of: ({ change }) => change.change },
  { title: 'INSTANCE', of: ({ change }) => change.instance.name },
  { title: 'SCHEDULE', of: ({ change }) => change.schedule?.id },
  { title: 'FIELD', of: ({ field }) => field?.field },
  { title: 'FROM', of: ({ field }) => shown(field?.from) },
  { title: 'TO', of: ({ field }) => shown(field?.to) },
];

/**
 * Ends the command as `diff` of POSIX ends: 1 is said of a difference alone.
 * @throws {IncompleteFault} for what would end it with 1 otherwise
 */
export async function diff(options: DiffOptions): Promise<void> {
  try {
    await withPlan(options, async (_, plan) => tellDifference(plan, options));
  } catch (error) {
    if (exitCodeOf(error) !== exitCodes.failed) throw error;
    throw error instanceof CommandFault
      ? new IncompleteFault(error.what, error.next)
      : new IncompleteFault(messageOf(error), nextAfter(error));
  }
}

/** @throws {IncompleteFault} when some of the changes were made */
export async function apply(options: ApplyOptions): Promise<void> {
  if (options.dryRun) return diff(options);
  await withPlan(options, async (session, plan) => {
    if (!options.json) show(plan, 0, options);
    if (plan.changes.length > 0 && isToBeAsked(options)) await mustBeConfirmed(inWords(plan), [wordFor(plan)], options);
    const made = await makeAll(session, plan.changes, (done) => {
      if (options.json) show(plan, done, options);
    });
    if (!options.json && made > 0) note('The schedules are as the file says.');
  });
}

/** Prints the schedules of the account as a file that `apply` reads. */
export async function exportSchedules(options: ApiOptions): Promise<void> {
  await inSession(options, 'schedule', async (session) => {
    const { instances, schedules } = await found(session);
    const names = namesOf(instances);
    const entries = schedules.map((each) => entryOf(each, names.get(each.instance_id) ?? each.instance_id));
    if (options.json) sayJson({ schedules: entries }, 2);
    else sayPart(writtenSchedules(entries));
  });
}

async function withPlan(
  options: DiffOptions,
  work: (session: Session, plan: Plan) => Promise<void> | void,
): Promise<void> {
  const entries = readSchedules(await textIn(options.file), nameOf(options.file));
  await inSession(options, 'file', async (session) => {
    await work(session, planOf(entries, await found(session), { prune: options.prune === true }));
  });
}

async function found({ client, signal }: Session): Promise<Found> {
  const { regions } = (await client.call(getRegions, { signal })).body;
  const all: { instances: Found['instances'][number][]; schedules: Found['schedules'][number][] } = {
    instances: [],
    schedules: [],
  };
  for await (const page of client.pages(getInstances, { signal })) all.instances.push(...page.instances);
  for await (const page of client.pages(getSchedules, { signal })) all.schedules.push(...page.schedules);
  return { ...all, regions: regions.filter(({ copies }) => copies).map(({ name }) => name) };
}

function tellDifference(plan: Plan, options: DiffOptions): void {
  show(plan, 0, options);
  if (plan.changes.length === 0) return;
  endWith('failed', `Have it so: strongroom apply -f ${options.file}${options.prune ? ' --prune' : ''}`);
}

/** @param done how many of the changes, from the first one on, were made */
function show({ changes, unchanged, others }: Plan, done: number, options: DiffOptions): void {
  if (options.json) {
    const told = changes.map(({ change, instance, schedule, fields }, index) => ({
      change,
      instance_id: instance.id,
      instance: instance.name,
      schedule_id: schedule?.id ?? null,
      fields: Object.fromEntries(fields.map(({ field, from, to }) => [field, { from, to }])),
      done: index < done,
    }));
    sayJson({ changes: told, unchanged, others }, 2);
    return;
  }
  const rows = changes.flatMap((change): Row[] =>
    change.fields.length > 0 ? change.fields.map((field) => ({ change, field })) : [{ change, field: undefined }],
  );
  if (rows.length > 0) printRows(undefined, rows, columns, options);
  else note(`Nothing is to change: ${counted(unchanged)} as the file has it.`);
  if (others > 0)
    note(`The file does not have ${others} of the account's schedules. They stay, unless you write: --prune`);
}

/**
 * Makes the changes one after the other.
 * @param after is told how many were made, also when one fails
 * @throws {IncompleteFault} when one fails after another was made
 */
async function makeAll(
  session: Session,
  changes: readonly PlannedChange[],
  after: (done: number) => void,
): Promise<number> {
  let done = 0;
  try {
    for (const change of changes) {
      const idempotencyKey = randomUUID();
      await sentAgain(() => make(session, change, idempotencyKey), session.signal);
      done += 1;
      note(`${done} of ${changes.length}: the schedule of ${change.instance.name} is ${doneBy[change.change]}.`);
    }
  } catch (error) {
    if (done === 0 || session.signal.aborted) throw error;
    const why = `${done} of ${changes.length} changes were made. ${messageOf(error)}`;
    throw new IncompleteFault(why, 'See what lacks by strongroom diff, and make it by the same call again.');
  } finally {
    after(done);
  }
  return done;
}

/** A schedule that somebody else has changed since the plan was made is left as it is. */
async function make(session: Session, planned: PlannedChange, idempotencyKey: string): Promise<void> {
  try {
    if (planned.change === 'create') {
      const schedule = { action: 'backup' as const, instance_id: planned.instance.id, ...fieldsOf(planned.entry) };
      await session.change(postSchedules, { body: { schedule }, idempotencyKey });
      return;
    }
    const { id, version } = planned.schedule;
    const guarded = { id, ifMatch: `"${version}"`, idempotencyKey };
    if (planned.change === 'delete') await session.change(deleteSchedulesId, guarded);
    else await session.change(putSchedulesId, { ...guarded, body: { schedule: fieldsOf(planned.entry) } });
  } catch (error) {
    if (!(error instanceof ApiFault) || error.code !== 'preconditionFailed') throw error;
    const who = `Somebody has changed the schedule of ${planned.instance.name} meanwhile.`;
    throw new AdvisedFault(who, 'See what differs now: strongroom diff', error);
  }
}

const doneBy: Readonly<Record<PlannedChange['change'], string>> = {
  create: 'made',
  update: 'changed',
  delete: 'deleted',
};

/** What an entry says, in the words of the API. */
function fieldsOf({ at, full_on, keep_fulls, copy_to, paused, pause_reason }: ScheduleEntry) {
  const time = timeOf(at);
  const day_of_week = dayOf(full_on);
  if (!time || day_of_week === undefined) throw new TypeError('an entry that was read has a time and a day');
  return {
    ...time,
    day_of_week,
    ...(keep_fulls !== undefined && { full_backup_retention: keep_fulls }),
    ...(copy_to !== undefined && { copy_to }),
    ...(paused !== undefined && { paused }),
    ...(pause_reason !== undefined && { pause_reason }),
  };
}

function shown(value: FieldValue | null | undefined): string | undefined {
  if (value === null || value === undefined) return undefined;
  return Array.isArray(value) ? `[${value.join(', ')}]` : String(value);
}

function inWords({ changes }: Plan): string {
  const count = (kind: PlannedChange['change']) => changes.filter(({ change }) => change === kind).length;
  const made = [
    [count('create'), 'made'],
    [count('update'), 'changed'],
    [count('delete'), 'deleted; their backups stay'],
  ] as const;
  const parts = made.filter(([number]) => number > 0).map(([number, what]) => `${counted(number)} ${what}`);
  return `To be done: ${parts.join(', ')}.`;
}

/** What a person types, who has read how many schedules go. */
function wordFor({ changes }: Plan): string {
  const deleted = changes.filter(({ change }) => change === 'delete').length;
  return deleted > 0 ? `delete ${deleted}` : 'apply';
}

function counted(number: number): string {
  return number === 1 ? '1 schedule' : `${number} schedules`;
}
