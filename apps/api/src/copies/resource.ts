/** Copies as the API shows them, in order of region: those that exist, and those that a region is owed. */
import { Inject } from '@nestjs/common';
import { type CopyResource, streamOf } from '@strongroom/contracts';
import { copyId } from '@strongroom/domain';
import {
  Copies,
  newestOf,
  type ShownBackup,
  type ShownCopy,
  type Verification,
  Verifications,
} from '@strongroom/read-model';
import {
  type AppConfig,
  configToken,
  type JobProgress,
  Jobs,
  type RegionOutage,
  RegionOutages,
  SetAside,
  type SetAsideKind,
  toldWhy,
} from '@strongroom/runtime';
import { utc, utcOrNull } from '../edge/times.js';

export class CopyResources {
  constructor(
    @Inject(Copies) private readonly copies: Copies,
    @Inject(Jobs) private readonly jobs: Jobs,
    @Inject(configToken) private readonly config: AppConfig,
    @Inject(SetAside) private readonly setAside: SetAside,
    @Inject(RegionOutages) private readonly outages: RegionOutages,
    @Inject(Verifications) private readonly verifications: Verifications,
  ) {}

  /** The copies of each backup, by the backup's id. */
  async ofBackups(
    backups: readonly ShownBackup[],
    verified?: ReadonlyMap<string, Verification>,
  ): Promise<Map<string, CopyResource[]>> {
    const verifications = verified ?? (await this.verifications.ofBackups(backups.map(({ id }) => id)));
    const rows = await this.copies.ofBackups(backups.map(({ id }) => id));
    const ids = [...rows.values()].flat().map(({ id }) => id);
    const progress = await this.jobs.progress('copy', ids);
    const readyTimes = await this.jobs.readyTimes('copy', ids);
    const parents = await this.copies.ofBackups(backups.flatMap(({ parentId }) => parentId ?? []));
    const isWaiting = [...rows.values()].flat().some(({ status, fault }) => status === 'PENDING' && !fault);
    const outages = isWaiting ? await this.outages.known() : new Map<string, RegionOutage>();
    const shown = new Map(
      backups.map((backup) => {
        const copies = rows.get(backup.id) ?? [];
        const all = [
          ...copies.map((copy) => ({
            ...tellingOutage(copyResource(copy, progress.get(copy.id), readyTimes.get(copy.id)), outages),
            ...verifiedFields(copy, backup, verifications.get(`${backup.id} ${copy.region}`)),
            waits_for: waitsFor(backup, copy, parents),
          })),
          ...this.owed(backup, copies),
        ];
        return [backup.id, all.sort(byRegion)];
      }),
    );
    return this.tellingSetAside(shown);
  }

  /** The same copies; those that are not made because something of them is set aside say so. */
  private async tellingSetAside(shown: Map<string, CopyResource[]>): Promise<Map<string, CopyResource[]>> {
    const needs = [...shown].flatMap(([backupId, copies]) => copies.flatMap((copy) => reliesOn(backupId, copy)));
    const aside = await this.setAside.among(needs);
    if (aside.length === 0) return shown;
    const reasons = new Map(aside.map((each) => [`${each.kind} ${each.id}`, toldWhy(each)]));
    const told = (backupId: string, copy: CopyResource): CopyResource => {
      const [reason] = reliesOn(backupId, copy).flatMap(({ kind, id }) => reasons.get(`${kind} ${id}`) ?? []);
      if (reason === undefined) return copy;
      const before = copy.fault ? `${copy.fault.message} ` : '';
      const message = `${before}The copy is not made at the moment: ${reason}. An operator has to look at it.`;
      return { ...copy, fault: { code: 'set-aside', message, since: copy.fault?.since ?? null } };
    };
    return new Map([...shown].map(([backupId, copies]) => [backupId, copies.map((copy) => told(backupId, copy))]));
  }

  /** The copies that regions are owed, beside those that there are. */
  owed(backup: ShownBackup, copies: ShownCopy[] = []): CopyResource[] {
    return owedTo(backup, copies, this.config.homeRegion)
      .map((region) => owedCopyResource(backup, region))
      .sort(byRegion);
  }
}

/** A copy is not begun while its region is away, so no event of its own tells why it waits. */
function tellingOutage<Copy extends Pick<CopyResource, 'region' | 'status' | 'fault'>>(
  copy: Copy,
  outages: ReadonlyMap<string, RegionOutage>,
): Copy {
  const outage = outages.get(copy.region);
  if (copy.status !== 'PENDING' || copy.fault || !outage) return copy;
  return { ...copy, fault: { code: outage.code, message: outage.reason, since: utc(outage.since) } };
}

/** What a copy needs that is not there: none of it may be set aside. */
function reliesOn(backupId: string, { id, status, source_region }: CopyResource): { kind: SetAsideKind; id: string }[] {
  if (status === 'COMPLETED') return [];
  if (source_region === null) return [{ kind: 'job', id: `plan/${backupId}` }];
  const itself = [
    { kind: 'copy', id },
    { kind: 'stream', id: streamOf('copy', id) },
  ] as const;
  return status === 'FAILED' ? [...itself] : [...itself, { kind: 'job', id: `copy/${id}` }];
}

function byRegion(a: CopyResource, b: CopyResource): number {
  return a.region < b.region ? -1 : 1;
}

/** The regions that are owed a copy and have none yet. A backup that failed, or was to be deleted, owes none. */
function owedTo({ status, copyTo, region: madeIn }: ShownBackup, copies: ShownCopy[], home: string): string[] {
  if (status === 'FAILED' || status === 'DELETE_FAILED') return [];
  const there = [madeIn ?? home, ...copies.map(({ region }) => region)];
  return copyTo.filter((region) => !there.includes(region));
}

/** The parent of the backup, when its copy comes to the region first. */
function waitsFor(
  { parentId }: ShownBackup,
  { status, region }: ShownCopy,
  parents: ReadonlyMap<string, ShownCopy[]>,
): string | null {
  if (parentId === null || status !== 'PENDING') return null;
  const parent = parents.get(parentId)?.find((copy) => copy.region === region);
  return parent && parent.status !== 'COMPLETED' ? parentId : null;
}

function copyResource(
  row: ShownCopy,
  progress: JobProgress | undefined,
  readyAt: Date | undefined,
): Omit<CopyResource, 'waits_for' | 'verified_at' | 'verified_by' | 'state'> {
  const completed = row.status === 'COMPLETED';
  return {
    id: row.id,
    region: row.region,
    source_region: row.sourceRegion,
    status: row.status,
    progress: completed ? 100 : row.status === 'COPYING' ? percent(progress) : 0,
    attempt: row.attempt,
    size_bytes: row.sizeBytes,
    checksum: completed ? row.sha256 : null,
    verified: completed,
    locationRef: locationRef(row.region, row.location),
    fault: row.fault && { code: row.fault.code, message: row.fault.reason, since: row.fault.since ?? null },
    retry_at: row.status === 'PENDING' && row.fault ? utcOrNull(readyAt ?? row.retryAt) : null,
    created: utc(row.createdAt),
    updated: utc(row.updatedAt),
    started: utcOrNull(row.startedAt),
    completed: completed ? utcOrNull(row.endedAt) : null,
  };
}

/** A copy in the region where its backup was made is there only because that region has lost the backup. */
function verifiedFields(
  { status, region, startedAt, endedAt, owedAt, createdAt }: ShownCopy,
  backup: ShownBackup,
  verification: Verification | undefined,
): Pick<CopyResource, 'verified_at' | 'verified_by' | 'state'> {
  if (status === 'COMPLETED')
    return { ...provenFields(newestOf({ startedAt, endedAt }, verification)), state: 'WHOLE' };
  const isLost = region === backup.region || owedAt > createdAt;
  return { ...provenFields(undefined), state: isLost ? 'LOST' : 'OWED' };
}

export function provenFields(proven: Verification | undefined): Pick<CopyResource, 'verified_at' | 'verified_by'> {
  return { verified_at: utcOrNull(proven?.verifiedAt ?? null), verified_by: proven?.verifiedBy ?? null };
}

/** A copy that is owed and not planned yet is shown as pending: a client would take a list without it for complete. */
function owedCopyResource({ id, createdAt, updatedAt }: ShownBackup, region: string): CopyResource {
  return {
    id: copyId(id, region),
    region,
    source_region: null,
    status: 'PENDING',
    progress: 0,
    attempt: 0,
    size_bytes: null,
    checksum: null,
    verified: false,
    verified_at: null,
    verified_by: null,
    state: 'OWED',
    locationRef: null,
    fault: null,
    retry_at: null,
    waits_for: null,
    created: utc(createdAt),
    updated: utc(updatedAt),
    started: null,
    completed: null,
  };
}

/** How much of the work is done, in percent. Work that has not completed is shown with 99 at most. */
export function percent(progress: JobProgress | undefined): number {
  if (!progress?.totalBytes) return 0;
  return Math.min(99, Math.floor((progress.doneBytes / progress.totalBytes) * 100));
}

/** Where bytes lie in a region's vault, as a client sees it. */
export function locationRef(region: string | null, location: string | null): string | null {
  return region && location && `strongroom://${region}/${location}`;
}
