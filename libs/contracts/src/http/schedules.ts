/** Schedules over HTTP. The response is the reference page's; `paused` and `version` stand beside it. */
import { z } from 'zod';
import { regionName } from '../primitives.js';
import { madeFull } from './backups.js';
import { idInBody, integer, links, optional, regions, scheduleTime } from './fields.js';

const dayOfWeek = integer(0, 7);
const hour = integer(0, 23);
const minute = integer(0, 59);
const fullBackupRetention = integer(1, 10_000);
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
    day_of_month: never,
    month: never,
  }),
});
export type CreateScheduleRequest = z.output<typeof createScheduleRequest>['schedule'];

/** A known client sends the regions of an update as `"DFW,IAD"`. */
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
    run_now: optional(yesOrNo),
  }),
});

export const scheduleResource = z.object({
  action: z.literal('backup'),
  created: scheduleTime,
  day_of_month: z.null(),
  day_of_week: z.int(),
  full_backup_retention: z.int(),
  hour: z.int(),
  id: z.string(),
  instance_id: z.string(),
  last_scheduled: scheduleTime.nullable(),
  minute: z.int(),
  month: z.null(),
  next_run: scheduleTime.nullable(),
  running: z.union([z.literal(0), z.literal(1)]),
  source: z.object({ id: z.string(), type: z.literal('instance') }),
  updated: scheduleTime,
  copy_to: z.array(regionName),
  paused: z.boolean(),
  version: z.int(),
});
export type ScheduleResource = z.infer<typeof scheduleResource>;

export const scheduleResponse = z.object({ schedule: scheduleResource });
export const schedulesResponse = z.object({ schedules: z.array(scheduleResource), links });

/** A run is what became of a slot; one that was asked for with `run_now` is of no slot, and is told by its backup. */
export const runResource = z.object({
  /** The slot's, from before it is due: of its backup too, when there is one. */
  id: z.string(),
  slot: z.string(),
  outcome: z.enum(['ran', 'skipped', 'missed', 'coming']),
  /** Why there is no backup. */
  reason: z.string().nullable(),
  /** Why the backup is full though an incremental was planned. */
  made_full: madeFull.nullable(),
  backup_id: z.string().nullable(),
  /** Null when there never was one, and when it was deleted. */
  backup_status: z.enum(['NEW', 'BUILDING', 'COMPLETED', 'FAILED', 'DELETE_FAILED']).nullable(),
  copies: z.array(z.object({ region: regionName, status: z.enum(['PENDING', 'COPYING', 'COMPLETED', 'FAILED']) })),
});
export type RunResource = z.infer<typeof runResource>;
export const runsResponse = z.object({ runs: z.array(runResource), links });
