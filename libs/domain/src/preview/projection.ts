/**
 * What becomes of the backups of an instance while its schedule goes on. Every run is taken to succeed, what is under way to complete, and
 * every copy to be made; nobody deletes or holds anything meanwhile. What goes and what stays is then decided by the functions by which
 * retention decides, at each run that can change anything.
 *
 * An incremental to come changes nothing: it is built on the newest backup, which stays, and goes with its cycle. So retention is asked
 * after a full run, after the first run, and after the first run since a former definition has ceased to count. But the bytes of a chain
 * stay as long as those of the last that is built on it: of the incrementals that lengthen a chain of now, the newest stands for all.
 */
import { type DeletedGround, type KeptGround, keptGrounds } from '@strongroom/contracts';
import { chainAbove, chainBelow, type NewestOfInstance, rootsOf } from '../chains.js';
import { chainGoesAt, type Deletable, type DeletionRules } from '../deletion-delay.js';
import { scheduledBackupId } from '../identities.js';
import {
  type HeldBackup,
  type HeldCopy,
  judgeHeld,
  type RetentionDecision,
  whyNotCounted,
} from '../schedule-retention.js';
import { type DefinedSince, plannedType, type Slot, slotsOf } from '../slots.js';

/** A backup of the instance that is there, that is deleted and can be brought back, or that has failed and is on hold. */
export interface PreviewedBackup extends HeldBackup, Deletable {
  isOnHold: boolean;
}

export interface PreviewedCopy extends HeldCopy {
  /** Whether it will be made without anybody's doing, when its region has a vault. */
  isComing: boolean;
}

/** What is known when the preview is made. */
export interface PreviewBasis {
  scheduleId: string;
  now: Date;
  rules: DeletionRules;
  /** The regions with a vault. */
  served: readonly string[];
  /** The region where backups are made. */
  homeRegion: string;
  /** For each lineage that was accepted, those that it replaces. */
  accepted: ReadonlyMap<string, readonly string[]>;
  /** In the order of their making. */
  backups: readonly PreviewedBackup[];
  /** By backup. */
  copies: ReadonlyMap<string, readonly PreviewedCopy[]>;
}

export type Fate =
  | { is: 'kept'; ground: KeptGround; reason: string }
  | {
      is: 'deleted';
      /**
       * - `replaced`: enough newer cycles are there.
       * - `schedule-changed`: they were there before, and what the schedule had asked for until lately counted still.
       * - `deletion-failed`: it was to be deleted already, and is asked for again.
       */
      ground: DeletedGround;
      at: Date;
      /** The slot whose run brings it about; null when that is what is under way now. */
      slotAt: Date | null;
      /** Until when its bytes stay at least. */
      bytesGoAt: Date;
    };

export interface Projection {
  /** Of each backup that is not deleted yet, and that no other schedule has made. */
  fates: ReadonlyMap<string, Fate>;
  /** Up to when was looked. */
  until: Date;
}

/** How many backups are judged for one projection, each as often as it is judged. */
const mostJudged = 150_000;
/** The lineage of a server of which no backup is known. */
const lineageToCome = 'to-come';

/** @param runNow whether a full backup is asked for now, beside the slots */
export function project(spans: readonly DefinedSince[], basis: PreviewBasis, runNow = false): Projection {
  const steps = projecting(spans, basis, runNow);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/** As `project`, in steps of some milliseconds, so that a service can do other work between them. */
export function projecting(
  spans: readonly DefinedSince[],
  basis: PreviewBasis,
  runNow = false,
): Generator<void, Projection, void> {
  return new ProjectedSchedule(spans, basis, runNow).run();
}

/** What the next incremental is built on, when everything that is under way has completed. */
export function newestOf({ backups }: Pick<PreviewBasis, 'backups'>, runNow = false): NewestOfInstance | undefined {
  if (runNow) return { id: runNowId, is: 'whole' };
  const newest = backups.findLast(isGood);
  if (!newest) return undefined;
  const chain = chainAbove(newest.id, backups);
  return { id: newest.id, is: chain.at(-1)?.parentId === null && chain.every(isGood) ? 'whole' : 'being-deleted' };
}

/** Whether retention judges it. The others only keep a chain from being deleted, or its bytes from going. */
export function isThere({ status, mark }: Pick<PreviewedBackup, 'status' | 'mark'>): boolean {
  return mark === null && status !== 'FAILED';
}

/** Whether it is completed, or will be. */
function isGood(backup: PreviewedBackup): boolean {
  return isThere(backup) && backup.status !== 'DELETE_FAILED';
}

class ProjectedSchedule {
  private held: PreviewedBackup[];
  private readonly copies = new Map<string, readonly HeldCopy[]>();
  private readonly fates = new Map<string, Fate>();
  private readonly lineage: string;
  /** The grounds on which retention has put off its deletion of a backup at the last look. */
  private putOff: RetentionDecision['putOff'] = new Map();
  private readonly onHold = new Set<string>();
  /** The ids of those that are there now. */
  private readonly first: ReadonlySet<string>;
  /** When each former definition ceases to count, in milliseconds. */
  private readonly ends: readonly number[];
  /** Stands for the incrementals to come that lengthen a chain of now. */
  private tail: PreviewedBackup | undefined;
  private judged = 0;
  private until: Date;

  constructor(
    private readonly spans: readonly DefinedSince[],
    private readonly basis: PreviewBasis,
    private readonly runNow: boolean,
  ) {
    const there = basis.backups.filter(isThere);
    this.lineage = there.findLast(({ status }) => status === 'COMPLETED')?.lineage ?? lineageToCome;
    this.first = new Set(there.map(({ id }) => id));
    this.ends = spans
      .slice(1)
      .map(({ since }) => since.getTime() + basis.rules.delayMs)
      .filter((at) => at >= basis.now.getTime());
    this.held = there.map((each) => this.settled(each));
    if (runNow) this.held.push(this.coming({ id: runNowId, scheduleId: basis.scheduleId, slotAt: null, copyTo: [] }));
    this.until = basis.now;
  }

  *run(): Generator<void, Projection, void> {
    if (this.runNow || this.isSomethingUnderWay()) this.judge(this.basis.now, null);
    const stop = yield* this.goOn();
    for (const { id } of this.basis.backups) {
      const left = this.held.find((each) => each.id === id);
      const fate = left && !this.fates.has(id) ? this.kept(left, stop) : undefined;
      if (fate) this.fates.set(id, fate);
    }
    return { fates: this.fates, until: this.until };
  }

  /** Makes the runs, one after the other. @returns why it stopped */
  private *goOn(): Generator<void, 'settled' | 'paused' | 'beyond-preview', void> {
    const { basis, spans } = this;
    const last = spans.at(-1);
    const settledAt = Math.max(0, ...this.ends);
    const newest = newestOf(basis, this.runNow);
    let [fulls, settled, judgedAt] = [0, 0, Number.NEGATIVE_INFINITY];
    if (this.isDecided()) return 'settled';
    for (const slot of slotsOf(spans, new Date(basis.now.getTime() + 1))) {
      const { slotAt, definition } = slot;
      if (definition.paused) {
        if (last && slotAt > last.since) return 'paused';
        continue;
      }
      const isFull = plannedType(definition.dayOfWeek, slotAt) === 'full';
      const isOther = this.ends.some((at) => at > judgedAt && at <= slotAt.getTime());
      if (!isFull && fulls === 0 && newest?.is === 'whole') this.lengthen(newest.id, slot);
      if (!isFull && judgedAt >= 0 && !isOther) continue;
      if (this.judged > mostJudged) return 'beyond-preview';
      if (isFull) this.held.push(this.fullOf(slot));
      this.judge(slotAt, slotAt);
      yield;
      judgedAt = slotAt.getTime();
      if (isFull) fulls += 1;
      if (isFull && judgedAt > settledAt) settled += 1;
      if (this.isDecided()) return 'settled';
      // Whatever newer cycles can replace is replaced now. Two cycles at the seam may count as one.
      if (settled >= (last?.definition.fullBackupRetention ?? 1) + 2) return 'settled';
    }
    return 'paused';
  }

  private judge(at: Date, slotAt: Date | null): void {
    const { scheduleId, accepted, rules, served } = this.basis;
    this.judged += this.held.length;
    this.until = at;
    const by = {
      scheduleId,
      accepted,
      served,
      spans: this.spans,
      now: at,
      delayMs: rules.delayMs,
      copies: this.copies,
    };
    const { goes, putOff } = judgeHeld(this.held, by);
    const gone = new Set<string>();
    this.onHold.clear();
    const roots = rootsOf(this.held, new Set(goes));
    for (const rootId of new Set(roots.values())) {
      const chain = this.chainOf(rootId);
      if (chain.some(({ isOnHold }) => isOnHold)) {
        for (const { id } of chain) this.onHold.add(id);
        continue;
      }
      const bytesGoAt = chainGoesAt(chain, rules, at);
      for (const each of chain) {
        // What waits for a region without a vault stays as it is, until its parent's bytes go.
        const isAgain = each.status === 'DELETE_FAILED';
        if (isAgain && !each.isDeleteFailed && bytesGoAt > at) continue;
        gone.add(each.id);
        if (!this.first.has(each.id)) continue;
        const stayUntil = isAgain ? at : bytesGoAt;
        this.fates.set(each.id, { is: 'deleted', ground: this.whyGone(each), at, slotAt, bytesGoAt: stayUntil });
      }
    }
    this.putOff = putOff;
    this.held = this.held.filter(({ id }) => !gone.has(id));
  }

  /** The backup and what is built on it, with what is not judged. */
  private chainOf(id: string): PreviewedBackup[] {
    if (this.basis.backups.every(isThere)) return chainBelow(id, this.held);
    const held = new Map(this.held.map((each) => [each.id, each]));
    const isKnown = new Set(this.basis.backups.map((each) => each.id));
    const all = this.basis.backups.flatMap((each) => (isThere(each) ? (held.get(each.id) ?? []) : each));
    return chainBelow(id, [...all, ...this.held.filter((each) => !isKnown.has(each.id))]);
  }

  private whyGone({ id, status }: PreviewedBackup): DeletedGround {
    if (status === 'DELETE_FAILED') return 'deletion-failed';
    return this.putOff.get(id)?.ground === 'schedule-changed' ? 'schedule-changed' : 'replaced';
  }

  private kept(backup: PreviewedBackup, stop: 'settled' | 'paused' | 'beyond-preview'): Fate | undefined {
    const why = whyNotCounted(backup, this.basis.scheduleId);
    const told = this.putOff.get(backup.id);
    const of = (ground: keyof typeof whyKept): Fate => ({ is: 'kept', ground, reason: whyKept[ground] });
    if (why) return why === 'other-schedule' ? undefined : of(why);
    if (this.onHold.has(backup.id)) return of('on-hold');
    if (told) {
      const ground = keptGrounds.find((each) => each === told.ground) ?? 'in-retention';
      return { is: 'kept', ground, reason: told.reason };
    }
    if (backup.lineage === null) return of('lineage-unknown');
    const isOwn = backup.lineage === this.lineage;
    if (!isOwn && !this.basis.accepted.get(this.lineage)?.includes(backup.lineage)) return of('other-server');
    if (stop !== 'beyond-preview') return of(stop === 'settled' ? 'in-retention' : stop);
    return {
      is: 'kept',
      ground: stop,
      reason: `It stays until ${this.until.toISOString()} at least: the preview looks no farther.`,
    };
  }

  /** Whether nothing is left that more runs could change. */
  private isDecided(): boolean {
    const { scheduleId } = this.basis;
    const mayGo = (each: PreviewedBackup) =>
      // One whose deletion has failed goes though nothing is known of its server.
      whyNotCounted(each, scheduleId) === undefined && (each.lineage !== null || each.status === 'DELETE_FAILED');
    return !this.held.some((each) => this.first.has(each.id) && mayGo(each));
  }

  /** Whether a backup or a copy is to complete: retention looks then, whatever the schedule says. */
  private isSomethingUnderWay(): boolean {
    const { scheduleId, backups, copies, served } = this.basis;
    return backups.some((backup) => {
      const { id, status, copyTo, region } = backup;
      if (backup.scheduleId !== scheduleId || !isGood(backup)) return false;
      const known = copies.get(id) ?? [];
      const isOwed = (to: string) => to !== region && !known.some((copy) => copy.region === to) && served.includes(to);
      return (
        status !== 'COMPLETED' ||
        copyTo.some(isOwed) ||
        known.some((copy) => copy.isComing && !copy.isCompleted && served.includes(copy.region))
      );
    });
  }

  /** The backup when everything that is under way has completed. */
  private settled(backup: PreviewedBackup): PreviewedBackup {
    const { served, homeRegion, now } = this.basis;
    const known = this.basis.copies.get(backup.id) ?? [];
    const owed = backup.copyTo.filter((region) => !known.some((copy) => copy.region === region));
    if (backup.type === 'full') {
      this.copies.set(backup.id, [
        ...known.map(({ region, isCompleted, isComing }) => ({
          region,
          isCompleted: isCompleted || (isComing && served.includes(region)),
        })),
        ...owed
          .filter((region) => region !== (backup.region ?? homeRegion) && served.includes(region))
          .map((region) => ({ region, isCompleted: true })),
      ]);
    }
    if (backup.status === 'COMPLETED' || backup.status === 'DELETE_FAILED') return backup;
    const { lineage, region, completedAt } = backup;
    return {
      ...backup,
      status: 'COMPLETED',
      lineage: lineage ?? this.lineage,
      region: region ?? homeRegion,
      completedAt: completedAt ?? now,
    };
  }

  private lengthen(parentId: string, slot: Slot): void {
    const { tail } = this;
    this.tail = { ...this.fullOf(slot), type: 'incremental', parentId };
    this.held = [...this.held.filter((each) => each !== tail), this.tail];
  }

  private fullOf({ slotAt, definition: { copyTo } }: Slot): PreviewedBackup {
    const { scheduleId } = this.basis;
    return this.coming({ id: scheduledBackupId(scheduleId, slotAt), scheduleId, slotAt, copyTo });
  }

  private coming(made: Pick<PreviewedBackup, 'id' | 'scheduleId' | 'slotAt' | 'copyTo'>): PreviewedBackup {
    const { homeRegion, served } = this.basis;
    const copies = made.copyTo.filter((region) => region !== homeRegion && served.includes(region));
    this.copies.set(
      made.id,
      copies.map((region) => ({ region, isCompleted: true })),
    );
    return {
      ...made,
      ...{
        trigger: made.slotAt ? 'slot' : 'run-now',
        type: 'full',
        parentId: null,
        status: 'COMPLETED',
        madeFull: null,
      },
      ...{ lineage: this.lineage, region: homeRegion, fault: null, putOff: null, isKeptByHand: false },
      ...{ completedAt: made.slotAt ?? this.basis.now, mark: null, isOnHold: false, isDeleteFailed: false },
    };
  }
}

/** Why a backup stays that nothing is told of by retention itself. */
const whyKept = {
  'asked-for': 'It was asked for, so it stays until somebody deletes it.',
  catalogued: 'It was found in a vault, so it stays until somebody deletes it.',
  'brought-back': 'Somebody has brought it back after its deletion, so it stays until somebody deletes it.',
  'region-retired': 'Its deletion waits for a region that has no vault now.',
  'on-hold': 'It has had its time. It stays because it is on hold, or would be deleted together with a backup that is.',
  'lineage-unknown': 'It is not known which server it is a state of, so no other backup replaces it.',
  'other-server':
    'It is a state of another server than the newest backup, and nobody has accepted that server in place of its own.',
  paused: 'The schedule is paused, so no newer backup of it replaces this one.',
  'in-retention': 'It is among those that the schedule keeps.',
} as const;

const runNowId = 'run-now';
