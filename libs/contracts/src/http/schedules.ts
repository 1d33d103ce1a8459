/** The schemas and the operations of schedules. A response has the fields of the reference page, and `paused` and `version`. */
import { z } from 'zod';
import { regionName } from '../primitives.js';
import { delay, failedAttempt, fullBecause, madeFull, notDeletedBecause } from './backups.js';
import { fault, hasField, idInBody, integer, links, optional, regions, text, utcTime, zonelessTime } from './fields.js';
import { accountPath, exampleId, type Operation } from './operation.js';

const dayOfWeek = integer(0, 7);
const hour = integer(0, 23);
const minute = integer(0, 59);
const fullBackupRetention = integer(1, 10_000);
/** As long as `reason` in the context of an event may be. */
const pauseReason = text(1, 500);
const never = optional(z.null({ error: 'can only be null: a schedule runs every day' }));

export const createScheduleRequest = z.strictObject({
  schedule: z.strictObject({
    action: z.literal('backup', { error: 'must be "backup"' }),
    instance_id: optional(idInBody),
    source_id: optional(idInBody),
    source_type: optional(z.enum(['instance', 'ha'], { error: 'must be "instance" or "ha"' })),
    day_of_week: dayOfWeek,
    hour,
    minute,
    full_backup_retention: optional(fullBackupRetention),
    copy_to: optional(regions),
    paused: optional(z.boolean({ error: 'must be true or false' })),
    pause_reason: optional(pauseReason),
    day_of_month: never,
    month: never,
  }),
});
export type CreateScheduleRequest = z.output<typeof createScheduleRequest>['schedule'];

/** A known client sends the regions of an update as one text: `"DFW,IAD"`. */
const regionsOrText = z.preprocess(
  (value) =>
    typeof value === 'string'
      ? value
          .split(',')
          .map((name) => name.trim())
          .filter(Boolean)
      : value,
  regions,
);

const yesOrNo = z.union([z.boolean(), z.enum(['true', 'false']).transform((text) => text === 'true')], {
  error: 'must be true or false',
});

export const updateScheduleRequest = z.strictObject({
  schedule: z.strictObject({
    day_of_week: optional(dayOfWeek),
    hour: optional(hour),
    minute: optional(minute),
    full_backup_retention: optional(fullBackupRetention),
    copy_to: optional(regionsOrText),
    paused: optional(z.boolean({ error: 'must be true or false' })),
    /** Why it is paused. It is taken for a schedule that is paused then. */
    pause_reason: optional(pauseReason),
    run_now: optional(yesOrNo),
  }),
});

export const scheduleResource = z.object({
  action: z.literal('backup'),
  created: zonelessTime,
  day_of_month: z.null(),
  day_of_week: z.int(),
  full_backup_retention: z.int(),
  hour: z.int(),
  id: z.string(),
  instance_id: z.string(),
  last_scheduled: zonelessTime.nullable(),
  minute: z.int(),
  month: z.null(),
  next_run: zonelessTime.nullable(),
  running: z.union([z.literal(0), z.literal(1)]),
  source: z.object({ id: z.string(), type: z.literal('instance') }),
  updated: zonelessTime,
  copy_to: z.array(regionName),
  paused: z.boolean(),
  /** Why it is paused, as somebody has said; null when nobody has, and when it is not paused. */
  pause_reason: z.string().nullable(),
  version: z.int(),
  /** Why none of its slots is decided at the moment. It is absent without a fault. */
  fault: fault.optional(),
});
export type ScheduleResource = z.infer<typeof scheduleResource>;

export const scheduleResponse = z.object({ schedule: scheduleResource });
export const schedulesResponse = z.object({ schedules: z.array(scheduleResource), links });

/** A run is what became of a slot. What `run_now` asks for has no slot, so it is shown as a backup and not as a run. */
export const runResource = z.object({
  /** The id of the slot, known before the slot is due. The backup of the slot has the same id. */
  id: z.string(),
  slot: z.string(),
  outcome: z.enum(['ran', 'skipped', 'missed', 'coming']),
  /** Why there is no backup; null when there is one. */
  reason: z.string().nullable(),
  /** Why the backup is full though an incremental was planned. */
  made_full: madeFull.nullable(),
  /** The type of the backup; null when there is none. */
  type: z.enum(['full', 'incremental']).nullable(),
  /** Null unless the backup is full. */
  full_because: fullBecause.nullable(),
  /** Why the backup has failed, or is tried again. */
  fault: fault.nullable(),
  /** When a backup that failed in a way that passes is tried again; null unless that is waited for. */
  retry_at: utcTime.nullable(),
  /** The newest 20, oldest first. */
  failed_attempts: z.array(failedAttempt),
  /** Why the backup was late. */
  delays: z.array(delay),
  /** Why the backup is still there, where it should be gone. */
  not_deleted_because: notDeletedBecause.nullable(),
  backup_id: z.string().nullable(),
  /** Null when there never was a backup, and when it was deleted. */
  backup_status: z.enum(['NEW', 'BUILDING', 'COMPLETED', 'FAILED', 'DELETE_FAILED']).nullable(),
  copies: z.array(z.object({ region: regionName, status: z.enum(['PENDING', 'COPYING', 'COMPLETED', 'FAILED']) })),
});
export type RunResource = z.infer<typeof runResource>;
export const runsResponse = z.object({ runs: z.array(runResource), links });

export const postSchedules = {
  name: 'postSchedules',
  rights: ['schedule.create'],
  method: 'POST',
  path: `${accountPath}/schedules`,
  summary: 'Create a schedule',
  status: 202,
  request: createScheduleRequest,
  response: scheduleResponse,
  faults: ['itemNotFound', 'unprocessableEntity', 'notImplemented'],
  examples: [
    {
      name: 'schedule',
      request: {
        schedule: {
          action: 'backup',
          day_of_week: 0,
          hour: 14,
          instance_id: exampleId,
          minute: 30,
          copy_to: ['IAD', 'ORD'],
        },
      },
      response: {
        schedule: {
          action: 'backup',
          created: '2020-11-14T07:28:17',
          day_of_month: null,
          day_of_week: 0,
          full_backup_retention: 2,
          hour: 14,
          id: '88b277eb-39be-4921-be31-3d61b43651d7',
          instance_id: exampleId,
          last_scheduled: null,
          minute: 30,
          month: null,
          next_run: '2020-11-14T14:30:00',
          running: 0,
          source: { id: exampleId, type: 'instance' },
          updated: '2020-11-14T07:28:17',
          copy_to: ['IAD', 'ORD'],
          paused: false,
          pause_reason: null,
          version: 1,
        },
      },
    },
  ],
} as const satisfies Operation;

export const getSchedules = {
  name: 'getSchedules',
  rights: ['schedule.read'],
  method: 'GET',
  path: `${accountPath}/schedules`,
  summary: 'List the schedules, by id',
  status: 200,
  response: schedulesResponse,
  query: ['limit', 'marker', 'instance_id'],
} as const satisfies Operation;

export const getSchedulesId = {
  name: 'getSchedulesId',
  rights: ['schedule.read'],
  method: 'GET',
  path: `${accountPath}/schedules/{id}`,
  summary: 'Show a schedule',
  status: 200,
  response: scheduleResponse,
} as const satisfies Operation;

export const putSchedulesId = {
  name: 'putSchedulesId',
  rights: ['schedule.update', 'schedule.run'],
  // A client may send every field with each run. Those that are as they were need no right.
  rightsFor: (body) =>
    hasField(body, 'schedule') && hasField(body.schedule, 'run_now') && body.schedule.run_now === true
      ? ['schedule.run']
      : [],
  method: 'PUT',
  path: `${accountPath}/schedules/{id}`,
  summary: 'Change a schedule, or run it now',
  status: 202,
  request: updateScheduleRequest,
  faults: ['unprocessableEntity'],
  changes: true,
  examples: [{ name: 'change', request: { schedule: { hour: 3, minute: 15, copy_to: ['IAD'], run_now: false } } }],
} as const satisfies Operation;

export const deleteSchedulesId = {
  name: 'deleteSchedulesId',
  rights: ['schedule.delete'],
  method: 'DELETE',
  path: `${accountPath}/schedules/{id}`,
  summary: 'Delete a schedule; its backups stay',
  status: 202,
  changes: true,
} as const satisfies Operation;

export const getSchedulesIdRuns = {
  name: 'getSchedulesIdRuns',
  rights: ['schedule.read'],
  method: 'GET',
  path: `${accountPath}/schedules/{id}/runs`,
  summary: 'List the runs of a schedule: the coming slot, then the past ones, the newest first',
  notes: 'What run_now asks for has no slot: its backup is in the list of backups.',
  status: 200,
  response: runsResponse,
  query: ['limit', 'marker'],
} as const satisfies Operation;

export const scheduleOperations: readonly Operation[] = [
  postSchedules,
  getSchedules,
  getSchedulesId,
  putSchedulesId,
  deleteSchedulesId,
  getSchedulesIdRuns,
];
