/** The schemas and the operation of what can be restored: for each schedule, the newest restorable backup in each region. */
import { z } from 'zod';
import { regionName } from '../primitives.js';
import { verifiedBy } from './backups.js';
import { fault, links, utcTime, zonelessTime } from './fields.js';
import { accountPath, type Operation } from './operation.js';
import { restoreTest } from './restore-tests.js';

/** How many of the newest backups of an instance are looked through for one that a region can restore. */
export const mostLookedThrough = 400;
/** Of how many of its newest slots a schedule tells what became of them. */
export const mostOutcomes = 30;

/** What became of a slot. A backup that was deleted meanwhile counts as what it was. */
export const slotOutcome = z.enum(['completed', 'failed', 'running', 'skipped', 'missed']);
export type SlotOutcome = z.infer<typeof slotOutcome>;

/** A backup that the region holds with everything that it is built on. */
export const restorablePoint = z.object({
  backup_id: z.string(),
  /** Null for a backup that was asked for. */
  slot: utcTime.nullable(),
  type: z.enum(['full', 'incremental']),
  created: utcTime,
  completed: utcTime,
  /** When the part of its chain that was proven longest ago was last proven in the region. */
  verified_at: utcTime,
  /** `server` when the bytes of some part of its chain were compared by the store alone. */
  verified_by: verifiedBy,
});
export type RestorablePoint = z.infer<typeof restorablePoint>;

export const restorableRegion = z.object({
  region: regionName,
  /** Whether backups of the schedule belong there: it is the home region, or the schedule copies to it. */
  wanted: z.boolean(),
  /** Null when the region can restore none of the backups that were looked through. */
  newest: restorablePoint.nullable(),
  /** How many of these backups the region is owed: it has never had them. */
  owed: z.int(),
  /** How many it had and was found to have lost. They are made again. */
  lost: z.int(),
  /** How many it was not given, because their copies have failed. */
  failed: z.int(),
  /**
   * The newest restore from there that was tested and passed, and the newest that failed; the newest first. It may be of another backup of
   * the instance than the newest, and of one that is not there any more.
   */
  restore_tests: z.array(restoreTest),
});
export type RestorableRegion = z.infer<typeof restorableRegion>;

export const restorableResource = z.object({
  /** The id of the schedule. */
  id: z.string(),
  instance_id: z.string(),
  /** Null when the instance is not there any more. */
  instance_name: z.string().nullable(),
  paused: z.boolean(),
  next_run: zonelessTime.nullable(),
  /** The newest slot that was decided; null before the first. */
  last_run: z
    .object({
      id: z.string(),
      slot: utcTime,
      outcome: slotOutcome,
      /** Why there is no backup. */
      reason: z.string().nullable(),
      /** Why the backup has failed. */
      fault: fault.nullable(),
    })
    .nullable(),
  /** What became of its newest slots, at most 30, the oldest first. */
  outcomes: z.array(slotOutcome),
  /** Whether the instance has more backups than were looked through: the newest 400. */
  has_older: z.boolean(),
  /** Every region of the deployment, by name. */
  regions: z.array(restorableRegion),
});
export type RestorableResource = z.infer<typeof restorableResource>;

export const restorableResponse = z.object({ restorable: z.array(restorableResource), links });

export const getRestorable = {
  name: 'getRestorable',
  rights: ['backup.read'],
  method: 'GET',
  path: `${accountPath}/restorable`,
  summary: 'List what can be restored from where, by schedule',
  notes:
    'For each schedule, and each region, the newest backup of its instance that the region holds with everything that it is built on. `owed`, `lost` and `failed` count what the region does not hold and should. The newest 400 backups of the instance are looked through; `has_older` says that there are more. `restore_tests` tells when a restore of the instance from that region was tested last, and how long it took. A page has as many schedules as a page of schedules.',
  status: 200,
  response: restorableResponse,
  query: ['limit', 'marker', 'instance_id'],
} as const satisfies Operation;

export const restorableOperations: readonly Operation[] = [getRestorable];
