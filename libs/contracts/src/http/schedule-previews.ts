/** The schemas and the operation of previews: what a change of a schedule would run, keep, delete and copy. */
import { z } from 'zod';
import { regionName } from '../primitives.js';
import { links, utcTime } from './fields.js';
import { accountPath, type Operation } from './operation.js';
import { updateScheduleRequest } from './schedules.js';

/** Why a run will be full, incremental or skipped. */
export const comingGrounds = ['planned', 'nothing-to-build-on', 'parent-not-there', 'paused'] as const;
export type ComingGround = (typeof comingGrounds)[number];

/** Why a backup stays: it is no backup of a slot, something is in the way of its deletion, or nothing replaces it. */
export const keptGrounds = [
  'asked-for',
  'catalogued',
  'brought-back',
  'region-retired',
  'on-hold',
  'built-on',
  'copies-missing',
  'schedule-changed',
  'lineage-unknown',
  'other-server',
  'paused',
  'in-retention',
  'beyond-preview',
] as const;
export type KeptGround = (typeof keptGrounds)[number];

/**
 * Why a backup goes when it does: enough newer cycles replace it; they have done so, and what the schedule asked for until lately counts no
 * more; or its deletion has failed before.
 */
export const deletedGrounds = ['replaced', 'schedule-changed', 'deletion-failed'] as const;
export type DeletedGround = (typeof deletedGrounds)[number];

/** A run that would come, unless something fails or somebody asks for a backup meanwhile. */
export const previewedRun = z.object({
  slot: utcTime,
  /** What would become of the slot. A run of a paused schedule is skipped. */
  outcome: z.enum(['full', 'incremental', 'skipped']),
  /** Why, for programs. */
  ground: z.enum(comingGrounds),
  /** Why, for people. */
  reason: z.string(),
  /** What becomes of the slot without the change; `none` when the schedule has no slot then. */
  unchanged: z.enum(['full', 'incremental', 'skipped', 'none']),
});
export type PreviewedRunResource = z.infer<typeof previewedRun>;

/** What becomes of a backup. */
const fate = z.object({
  is: z.enum(['kept', 'deleted']),
  /** Why, for programs. */
  ground: z.enum([...new Set([...keptGrounds, ...deletedGrounds])]),
  /** Why, for people. */
  reason: z.string(),
  /** When retention deletes it at the earliest; null when it is kept as far as the preview looks. */
  deleted_at: utcTime.nullable(),
  /** The slot whose run brings that about; null when it is kept, and when it is what is under way now. */
  deleted_by_slot: utcTime.nullable(),
  /** No byte of it is removed before then, and until then it can be brought back; null when it is kept. */
  bytes_go_at: utcTime.nullable(),
  /** What keeps the bytes of a deleted backup for so long; null when nothing does, and when it is kept. */
  bytes_kept_by: z.enum(['minimum-retention', 'deletion-delay']).nullable(),
});

export const previewedBackup = z.object({
  id: z.string(),
  /** Null for a backup that was asked for. */
  slot: utcTime.nullable(),
  type: z.enum(['full', 'incremental']),
  parent_id: z.string().nullable(),
  after: fate,
  /** The same without the change. */
  unchanged: fate,
  /** Whether the change makes a difference to when it is deleted, or to whether it is. */
  differs: z.boolean(),
});
export type PreviewedBackupResource = z.infer<typeof previewedBackup>;

/** A region that the change adds to `copy_to` or takes out of it. */
export const previewedCopies = z.object({
  region: regionName,
  change: z.enum(['added', 'removed']),
  /** The first slot whose backup is copied there; null when none is. */
  from_slot: utcTime.nullable(),
  /** The backups that are copied there first, because the first one that is copied is built on them; the newest first. */
  copied_first: z.array(z.string()),
  /** How many backups of the schedule the region holds. They stay, each for as long as the backup itself. */
  kept: z.int(),
  /** How many copies of such backups are still being made there. They are finished all the same. */
  under_way: z.int(),
  reason: z.string(),
});

export const previewSummary = z.object({
  /** How many backups of the schedule are there. */
  backups: z.int(),
  /** How many of them are deleted, as far as the preview looks. */
  deleted: z.int(),
  kept: z.int(),
  /** To how many of them the change makes a difference. */
  differs: z.int(),
  deleted_sooner: z.int(),
  deleted_later: z.int(),
});

export const schedulePreview = z.object({
  schedule_id: z.string(),
  /** The instant at which the change is taken to be made. */
  as_of: utcTime,
  /** Up to when the preview has looked for what is deleted. */
  until: utcTime,
  summary: previewSummary,
  runs: z.array(previewedRun),
  copies: z.array(previewedCopies),
  /** A page of the schedule's backups, the newest first. */
  backups: z.array(previewedBackup),
});
export type SchedulePreviewResource = z.infer<typeof schedulePreview>;

export const schedulePreviewResponse = z.object({ preview: schedulePreview, links });

/** How many runs a preview shows. */
export const previewedRuns = { usual: 14, most: 100 } as const;

export const postSchedulesIdPreview = {
  name: 'postSchedulesIdPreview',
  rights: ['schedule.read'],
  method: 'POST',
  path: `${accountPath}/schedules/{id}/preview`,
  summary: 'Say what a change of a schedule would run, keep, delete and copy; it changes nothing',
  notes:
    'The body is that of the change. Every run is taken to succeed and every copy to be made, and what is decided then is decided by the functions of retention itself. A page has some of the backups, and the link `next` leads to older ones: it is asked with the same body.',
  status: 200,
  request: updateScheduleRequest,
  response: schedulePreviewResponse,
  query: ['limit', 'marker', 'runs'],
  onlyAsks: true,
  examples: [{ name: 'preview', request: { schedule: { full_backup_retention: 1, copy_to: ['IAD'] } } }],
} as const satisfies Operation;
