/**
 * What retention decides on the backups of an instance, by what its schedule has said. Whoever deletes and whoever previews a change of
 * the schedule ask here, so a preview tells what is done.
 */
import { type BackupType, regionRetired } from '@strongroom/contracts';
import type { PutOff } from './backup-state.js';
import { type AskedLately, askedLately } from './lately.js';
import { putOffByRetention, putOffUntilSettled } from './put-off.js';
import { isWhereOwed } from './regions.js';
import { type JudgedBackup, judgeRetention } from './retention.js';
import { type DefinedSince, definitionAt, plannedType } from './slots.js';

const dayMs = 86_400_000;

/** A backup of the instance that the vaults hold or that is running, as it is known. */
export interface HeldBackup {
  id: string;
  scheduleId: string | null;
  slotAt: Date | null;
  trigger: 'slot' | 'run-now' | 'request' | 'catalogued';
  type: BackupType;
  parentId: string | null;
  copyTo: readonly string[];
  /** Every status but these two is that of a running backup. */
  status: string;
  /** Null unless it is full though an incremental was planned. */
  madeFull: object | null;
  lineage: string | null;
  /** The region where it was made; null before it has completed. */
  region: string | null;
  /** Why its deletion has failed. */
  fault: { code: string } | null;
  putOff: { waitsFor: readonly string[] } | null;
  isKeptByHand: boolean;
}

/** What is known of a copy. */
export interface HeldCopy {
  region: string;
  isCompleted: boolean;
}

/** By what the backups are judged. */
export interface ScheduleRetention {
  scheduleId: string;
  /** The definitions of the schedule, in order; the last of them is in force. */
  spans: readonly DefinedSince[];
  /** For each lineage that was accepted, those that it replaces. */
  accepted: ReadonlyMap<string, readonly string[]>;
  now: Date;
  /** For how long a former definition still counts, in milliseconds. */
  delayMs: number;
  /** The regions with a vault. */
  served: readonly string[];
  /** The copies of full backups, by backup: those of others do not count. */
  copies: ReadonlyMap<string, readonly HeldCopy[]>;
}

/** What retention decides. */
export interface RetentionDecision {
  /** The ids of those that go, in the order of making. */
  goes: readonly string[];
  /** Why others stay that have had their time, by backup. */
  putOff: ReadonlyMap<string, PutOff>;
}

/**
 * A schedule that keeps less than until lately, or copies less, is judged by what it asked for then. What goes by that goes now; what goes
 * only by what it says today waits.
 * @param held the backups of the instance, in the order of their making
 */
export function judgeHeld(held: readonly HeldBackup[], by: ScheduleRetention): RetentionDecision {
  const { spans, accepted, scheduleId } = by;
  const lately = askedLately(spans, by.now, by.delayMs);
  const judgeBy = (cycles: number, owedAt: AskedLately['owedAt']) =>
    judgeRetention(
      held.map((each) => judged(each, by, owedAt)),
      { cycles, accepted },
    );
  const { goes, putOff: kept } = judgeBy(lately.cycles, lately.owedAt);
  const putOff = new Map(kept.map((each) => [each.backupId, putOffByRetention(each)]));
  if (lately.until) {
    const gone = new Set(goes);
    const today = judgeBy(spans.at(-1)?.definition.fullBackupRetention ?? 1, () => []);
    for (const id of today.goes) if (!gone.has(id)) putOff.set(id, putOffUntilSettled(scheduleId, lately.until));
  }
  return { goes, putOff };
}

/** Why retention never counts or deletes a backup; undefined when it is one that the schedule has made from a slot. */
export type NotCounted = 'other-schedule' | 'asked-for' | 'catalogued' | 'brought-back' | 'region-retired';

export function whyNotCounted(
  { scheduleId, slotAt, trigger, isKeptByHand, fault }: HeldBackup,
  ofSchedule: string,
): NotCounted | undefined {
  if (trigger === 'catalogued') return 'catalogued';
  if (trigger !== 'slot' || slotAt === null) return 'asked-for';
  if (scheduleId !== ofSchedule) return 'other-schedule';
  // What somebody has brought back is kept as what somebody has asked for.
  if (isKeptByHand) return 'brought-back';
  // A deletion that waits for a region without a vault is taken up by another policy, when the region has one again.
  return fault?.code === regionRetired ? 'region-retired' : undefined;
}

const states: Partial<Record<string, JudgedBackup['is']>> = { COMPLETED: 'completed', DELETE_FAILED: 'delete-failed' };

function judged(
  backup: HeldBackup,
  { scheduleId, spans, delayMs, served, copies }: ScheduleRetention,
  owedAt: AskedLately['owedAt'],
): JudgedBackup {
  const { id, copyTo, status, region: madeIn, putOff, slotAt } = backup;
  const owed = [...copyTo, ...(slotAt === null ? [] : owedAt(slotAt))];
  return {
    backupId: id,
    parentId: backup.parentId,
    slotAt: whyNotCounted(backup, scheduleId) === undefined ? slotAt : null,
    planned: plannedOf(backup, spans),
    // Without a delay, nothing is kept from whoever may change a schedule.
    nearMs: slotAt === null || delayMs === 0 ? 0 : cycleMs(spans, slotAt),
    type: backup.type,
    lineage: backup.lineage,
    is: states[status] ?? 'unended',
    isCopied: isWhereOwed({ madeIn, copyTo: owed, copies: copies.get(id) ?? [] }, served),
    toldWaitsFor: putOff?.waitsFor ?? [],
  };
}

/**
 * What the schedule planned for the slot. The request does not say it: it asks for a full backup also when there was
 * nothing to build on.
 */
function plannedOf({ slotAt, madeFull }: HeldBackup, spans: readonly DefinedSince[]): BackupType {
  if (slotAt === null || madeFull !== null || spans.length === 0) return 'incremental';
  return plannedType(definitionAt(spans, slotAt).dayOfWeek, slotAt);
}

/** How far apart the cycles of a schedule are that is left alone. */
function cycleMs(spans: readonly DefinedSince[], slotAt: Date): number {
  if (spans.length === 0) return 0;
  return definitionAt(spans, slotAt).dayOfWeek === 7 ? dayMs : 7 * dayMs;
}
