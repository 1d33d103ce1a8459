/**
 * What a change of a schedule would do, as the API tells it. Nothing is appended. What is told is decided by the functions by which slots are
 * fired, incrementals find their parents, and retention deletes.
 */
import { Inject } from '@nestjs/common';
import {
  isRefusal,
  type PreviewedBackupResource,
  previewedRuns,
  type SchedulePreviewResource,
  streamOf,
} from '@strongroom/contracts';
import {
  bytesKeptBy,
  type ComingRun,
  comingRuns,
  copiesToCome,
  type DefinedSince,
  definitionsOf,
  differs,
  type Fate,
  isThere,
  newestOf,
  type PreviewBasis,
  type Projection,
  projecting,
  spansAfter,
  whyComing,
  whyCopies,
  whyFate,
} from '@strongroom/domain';
import { Ledger } from '@strongroom/ledger';
import { acceptedOn, Backups, Copies, Instances, previewable, previewableCopies } from '@strongroom/read-model';
import { type AppConfig, Clock, configToken, deletionRulesOf } from '@strongroom/runtime';
import type { FastifyRequest } from 'fastify';
import type { Reach } from '../edge/caller.js';
import { HttpFault, notFound, unlessRefused } from '../edge/http-fault.js';
import { type PageAsked, queryValue } from '../edge/paging.js';
import { utc, utcOrNull } from '../edge/times.js';
import { type AskedChange, ScheduleChecks } from './checks.js';
import { ScheduleResources } from './resource.js';

/** What is asked of a preview. */
export interface PreviewAsked extends AskedChange {
  scheduleId: string;
  /** How many runs are told. */
  runs: number;
}

export interface FoundPreview {
  told: Omit<SchedulePreviewResource, 'backups'>;
  /** A page of the schedule's backups, the newest first; undefined when the marker is the id of none of them. */
  backups(asked: PageAsked): { items: PreviewedBackupResource[]; more: boolean } | undefined;
}

export class SchedulePreviews {
  constructor(
    @Inject(Ledger) private readonly ledger: Ledger,
    @Inject(Clock) private readonly clock: Clock,
    @Inject(configToken) private readonly config: AppConfig,
    @Inject(ScheduleChecks) private readonly checks: ScheduleChecks,
    @Inject(ScheduleResources) private readonly schedules: ScheduleResources,
    @Inject(Backups) private readonly rows: Backups,
    @Inject(Copies) private readonly copies: Copies,
    @Inject(Instances) private readonly instances: Instances,
  ) {}

  /** @throws {HttpFault} itemNotFound, and badRequest as the change itself would be refused */
  async find(reach: Reach, { scheduleId, changes, runNow, reason, runs }: PreviewAsked): Promise<FoundPreview> {
    const schedule = await this.schedules.find(reach, scheduleId);
    this.checks.mustBeAChange(schedule, { changes, runNow, reason });
    const { accountId, instanceId } = schedule;
    const now = this.clock.now();
    const history = await this.ledger.readStream(streamOf('schedule', scheduleId));
    const before = definitionsOf(history);
    const decided = spansAfter(history, changes, now);
    const isRunAlone = isRefusal(decided) && decided.refused === 'schedule-unchanged' && runNow;
    const after = isRunAlone ? before : unlessRefused('UpdateSchedule', decided);
    const basis = await this.basisOf({ accountId, instanceId, scheduleId }, now);
    const unchanged = await inPieces(projecting(before, basis));
    const changed = await inPieces(projecting(after, basis, runNow));
    return tell({ basis, before, after, unchanged, changed, runNow, runs });
  }

  private async basisOf(
    { accountId, instanceId, scheduleId }: { accountId: string; instanceId: string; scheduleId: string },
    now: Date,
  ): Promise<PreviewBasis> {
    const instance = await this.instances.find(accountId, instanceId);
    if (!instance) throw notFound('Schedule', scheduleId);
    const rows = (await this.rows.previewableOf(instanceId)).filter((row) => row.accountId === accountId);
    return {
      scheduleId,
      now,
      rules: deletionRulesOf(this.config.deletion, accountId),
      served: [...this.config.vaults.keys()],
      homeRegion: this.config.homeRegion,
      accepted: acceptedOn(instance),
      backups: rows.map(previewable),
      copies: previewableCopies(await this.copies.ofBackups(rows.map(({ id }) => id))),
    };
  }
}

/** How many runs a request asks for. @throws {HttpFault} badRequest */
export function runsIn(request: FastifyRequest): number {
  const given = queryValue(request, 'runs') ?? String(previewedRuns.usual);
  if (!/^0*[1-9]\d*$/.test(given)) throw new HttpFault('badRequest', 'runs: must be an integer of at least 1.');
  return Math.min(previewedRuns.most, Number(given));
}

/** How long a projection keeps other requests waiting at a time. */
const pieceMs = 10;

async function inPieces<T>(steps: Generator<void, T, void>): Promise<T> {
  for (let begunAt = performance.now(); ; ) {
    const step = steps.next();
    if (step.done) return step.value;
    if (performance.now() - begunAt < pieceMs) continue;
    await new Promise<void>((resolve) => setImmediate(resolve));
    begunAt = performance.now();
  }
}

interface Compared {
  basis: PreviewBasis;
  before: readonly DefinedSince[];
  after: readonly DefinedSince[];
  unchanged: Projection;
  changed: Projection;
  runNow: boolean;
  runs: number;
}

function tell({ basis, before, after, unchanged, changed, runNow, runs }: Compared): FoundPreview {
  const { now, rules, scheduleId } = basis;
  const coming = first(comingRuns(after, now, newestOf(basis, runNow)), runs);
  const own = basis.backups.filter((each) => isThere(each) && each.scheduleId === scheduleId).toReversed();
  const compared = own.flatMap((backup) => {
    const [then, otherwise] = [changed.fates.get(backup.id), unchanged.fates.get(backup.id)];
    return then && otherwise ? [{ backup, then, otherwise }] : [];
  });
  const cycles = (spans: readonly DefinedSince[]) => spans.at(-1)?.definition.fullBackupRetention ?? 1;
  const fateOf = (fate: Fate, spans: readonly DefinedSince[]): PreviewedBackupResource['after'] => ({
    is: fate.is,
    ground: fate.ground,
    reason: whyFate(fate, cycles(spans)),
    deleted_at: fate.is === 'deleted' ? utc(fate.at) : null,
    deleted_by_slot: fate.is === 'deleted' ? utcOrNull(fate.slotAt) : null,
    bytes_go_at: fate.is === 'deleted' ? utc(fate.bytesGoAt) : null,
    bytes_kept_by: bytesKeptBy(fate, rules) ?? null,
  });
  const goesAt = (fate: Fate) => (fate.is === 'deleted' ? fate.at.getTime() : Number.POSITIVE_INFINITY);
  const regions = (spans: readonly DefinedSince[]) => spans.at(-1)?.definition.copyTo ?? [];
  const firstRun = coming.find(({ outcome }) => outcome !== 'skipped');
  return {
    told: {
      schedule_id: scheduleId,
      as_of: utc(now),
      until: utc(changed.until),
      summary: {
        backups: compared.length,
        deleted: compared.filter(({ then }) => then.is === 'deleted').length,
        kept: compared.filter(({ then }) => then.is === 'kept').length,
        differs: compared.filter(({ then, otherwise }) => differs(then, otherwise)).length,
        deleted_sooner: compared.filter(({ then, otherwise }) => goesAt(then) < goesAt(otherwise)).length,
        deleted_later: compared.filter(({ then, otherwise }) => goesAt(then) > goesAt(otherwise)).length,
      },
      runs: besideUnchanged(coming, comingRuns(before, now, newestOf(basis))),
      copies: copiesToCome(basis, regions(before), regions(after), firstRun).map((each) => ({
        region: each.region,
        change: each.change,
        from_slot: utcOrNull(each.fromSlot),
        copied_first: each.copiedFirst,
        kept: each.kept,
        under_way: each.underWay,
        reason: whyCopies(each),
      })),
    },
    backups({ limit, marker }) {
      const at = marker === undefined ? 0 : compared.findIndex(({ backup }) => backup.id === marker) + 1;
      if (marker !== undefined && at === 0) return undefined;
      const items = compared.slice(at, at + limit).map(({ backup, then, otherwise }) => ({
        ...{ id: backup.id, slot: utcOrNull(backup.slotAt), type: backup.type, parent_id: backup.parentId },
        ...{ after: fateOf(then, after), unchanged: fateOf(otherwise, before), differs: differs(then, otherwise) },
      }));
      return { items, more: compared.length > at + limit };
    },
  };
}

function besideUnchanged(
  coming: readonly ComingRun[],
  unchanged: Iterable<ComingRun>,
): SchedulePreviewResource['runs'] {
  const last = coming.at(-1)?.slotAt;
  const now = new Map<number, ComingRun['outcome']>();
  for (const { slotAt, outcome } of unchanged) {
    if (!last || slotAt > last) break;
    now.set(slotAt.getTime(), outcome);
  }
  return coming.map(({ slotAt, outcome, ground }) => ({
    ...{ slot: utc(slotAt), outcome, ground, reason: whyComing({ outcome, ground }) },
    unchanged: now.get(slotAt.getTime()) ?? 'none',
  }));
}

function first<T>(all: Iterable<T>, count: number): T[] {
  const found: T[] = [];
  for (const each of all) {
    found.push(each);
    if (found.length >= count) break;
  }
  return found;
}
