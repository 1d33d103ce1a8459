/** Reads for the controllers: an account's views, up to date with every append before the call, as resources. */
import type {
  BackupResource,
  CopyResource,
  InstanceResource,
  RunResource,
  ScheduleResource,
} from '@strongroom/contracts';
import { nextSlot, regionsHolding, scheduledBackupId } from '@strongroom/domain';
import {
  type BackupFilter,
  type BackupRow,
  Backups,
  Copies,
  type InstanceRow,
  Instances,
  Lineages,
  type Page,
  type PageRequest,
  Runs,
  type ScheduleRow,
  Schedules,
  type ShownBackup,
  type ShownCopy,
  type SlotRun,
  Views,
} from '@strongroom/read-model';
import { type Clock, Jobs } from '@strongroom/runtime';
import type { DataSource } from 'typeorm';
import { HttpFault, notFound } from './edge/http-fault.js';
import {
  backupResource,
  comingRun,
  copyResource,
  instanceResource,
  owedCopyResource,
  runResource,
  scheduleResource,
} from './resources.js';

const dayMs = 86_400_000;

export class Reads {
  private readonly instances: Instances;
  private readonly schedules: Schedules;
  private readonly backups: Backups;
  private readonly lineages: Lineages;
  private readonly copies: Copies;
  private readonly runs: Runs;
  private readonly jobs: Jobs;

  constructor(
    dataSource: DataSource,
    private readonly views: Views,
    private readonly clock: Clock,
    private readonly homeRegion: string,
  ) {
    this.instances = new Instances(dataSource);
    this.schedules = new Schedules(dataSource);
    this.backups = new Backups(dataSource);
    this.lineages = new Lineages(dataSource);
    this.copies = new Copies(dataSource);
    this.runs = new Runs(dataSource);
    this.jobs = new Jobs(dataSource);
  }

  /** @throws {HttpFault} itemNotFound */
  async instance(accountId: string, id: string): Promise<InstanceRow> {
    await this.views.catchUp(accountId);
    const row = await this.instances.find(accountId, id);
    if (!row) throw notFound('Instance', id);
    return row;
  }

  /** One that can be backed up. @throws {HttpFault} itemNotFound; unprocessableEntity for one that is still to be built */
  async activeInstance(accountId: string, id: string): Promise<InstanceRow> {
    const row = await this.instance(accountId, id);
    if (row.status === 'ACTIVE') return row;
    throw new HttpFault(
      'unprocessableEntity',
      `Instance ${id} is in status ${row.status}: there is no server to back up.`,
    );
  }

  async instancePage(accountId: string, page: PageRequest): Promise<Page<InstanceRow>> {
    await this.views.catchUp(accountId);
    return this.instances.page(accountId, page);
  }

  async instanceResources(accountId: string, rows: InstanceRow[]): Promise<InstanceResource[]> {
    const ids = rows.map(({ id }) => id);
    const running = await this.backups.runningInstances(ids);
    const schedules = new Map((await this.schedules.ofInstances(accountId, ids)).map((row) => [row.instanceId, row]));
    const resources = new Map(
      (await this.scheduleResources([...schedules.values()])).map((each) => [each.instance_id, each]),
    );
    const lineages = await this.lineages.ofInstances(ids);
    return rows.map((row) =>
      instanceResource(
        row,
        running.has(row.id),
        resources.get(row.id) ?? null,
        lineages.filter(({ instanceId }) => instanceId === row.id),
      ),
    );
  }

  /** The ids of those that a backup is there of. */
  async lineagesOf(instanceId: string): Promise<string[]> {
    return (await this.lineages.ofInstances([instanceId])).map(({ id }) => id);
  }

  async isBackedUp(instanceId: string): Promise<boolean> {
    return (await this.backups.runningInstances([instanceId])).has(instanceId);
  }

  /** @throws {HttpFault} itemNotFound */
  async schedule(accountId: string, id: string): Promise<ScheduleRow> {
    await this.views.catchUp(accountId);
    const row = await this.schedules.find(accountId, id);
    if (!row) throw notFound('Schedule', id);
    return row;
  }

  async schedulePage(
    accountId: string,
    page: PageRequest & { instanceId?: string | undefined },
  ): Promise<Page<ScheduleRow>> {
    await this.views.catchUp(accountId);
    return this.schedules.page(accountId, page);
  }

  async scheduleResources(rows: ScheduleRow[]): Promise<ScheduleResource[]> {
    const activity = await this.schedules.activity(rows.map(({ id }) => id));
    const now = this.clock.now();
    return rows.map((row) => scheduleResource(row, activity.get(row.id), now));
  }

  /** The coming slot, and what became of those before it. Undefined when the marker names no run of the schedule. */
  async runPage(schedule: ScheduleRow, { limit, marker }: PageRequest): Promise<Page<RunResource> | undefined> {
    const coming = nextSlot(schedule, this.clock.now());
    const before = marker === undefined ? undefined : await this.slotOf(schedule, marker, coming);
    if (marker !== undefined && !before) return undefined;
    const { items, more } = await this.runs.page(schedule.id, {
      limit,
      ...(marker !== undefined && before && { before: { slotAt: before, id: marker } }),
    });
    const runs = await this.runResources(schedule.accountId, items);
    // A scheduler whose clock is ahead may have decided it already.
    const isToCome = !before && !schedule.paused && items.every(({ slotAt }) => slotAt < coming);
    if (isToCome) runs.unshift(comingRun(schedule.id, coming));
    return { items: runs.slice(0, limit), more: more || runs.length > limit };
  }

  /** A run that was seen to come has its id before anybody decided what becomes of it, though it may be due by now. */
  private async slotOf({ id }: ScheduleRow, marker: string, coming: Date): Promise<Date | undefined> {
    const run = await this.runs.find(id, marker);
    const undecided = [coming, new Date(coming.getTime() - dayMs)];
    return run?.slotAt ?? undecided.find((slotAt) => scheduledBackupId(id, slotAt) === marker);
  }

  private async runResources(accountId: string, rows: SlotRun[]): Promise<RunResource[]> {
    const backups = await this.backups.findAll(
      accountId,
      rows.map(({ id }) => id),
    );
    const resources = new Map((await this.backupResources(backups)).map((each) => [each.id, each]));
    return rows.map((row) => runResource(row, resources.get(row.id)));
  }

  /** @throws {HttpFault} itemNotFound */
  async backup(accountId: string, id: string): Promise<ShownBackup> {
    await this.views.catchUp(accountId);
    const row = await this.backups.find(accountId, id);
    if (!row) throw notFound('Backup', id);
    return row;
  }

  /** The backup, and everything made from it. */
  chainBelow({ accountId, id }: ShownBackup): Promise<BackupRow[]> {
    return this.backups.chainBelow(accountId, id);
  }

  /** The regions that hold the backup, as far as is known: where it was made, and those with a completed copy. */
  async regionsHolding(accountId: string, backupId: string): Promise<string[]> {
    const backup = await this.backups.find(accountId, backupId);
    if (backup?.status !== 'COMPLETED') return [];
    const copies = (await this.copies.ofBackups([backupId])).get(backupId) ?? [];
    return regionsHolding({
      madeIn: backup.region,
      copies: copies.map(({ region, status }) => ({ region, isCompleted: status === 'COMPLETED' })),
    });
  }

  async newestCompleted(accountId: string, instanceId: string): Promise<string | undefined> {
    await this.views.catchUp(accountId);
    return (await this.backups.newestCompleted(instanceId))?.id;
  }

  async scheduleOf({ accountId, id }: InstanceRow): Promise<ScheduleRow | undefined> {
    return (await this.schedules.ofInstances(accountId, [id]))[0];
  }

  async backupPage(accountId: string, page: PageRequest & BackupFilter): Promise<Page<ShownBackup> | undefined> {
    await this.views.catchUp(accountId);
    return this.backups.page(accountId, page);
  }

  async backupResources(rows: ShownBackup[]): Promise<BackupResource[]> {
    const copies = await this.copyResources(rows);
    const progress = await this.jobs.progress(
      'backup',
      rows.map(({ id }) => id),
    );
    return rows.map((row) => backupResource(row, copies.get(row.id) ?? [], progress.get(row.id)));
  }

  /** By backup: its copies, and those that are owed to a region though nobody has begun to plan them, in order of region. */
  async copyResources(backups: ShownBackup[]): Promise<Map<string, CopyResource[]>> {
    const rows = await this.copies.ofBackups(backups.map(({ id }) => id));
    const progress = await this.jobs.progress(
      'copy',
      [...rows.values()].flat().map(({ id }) => id),
    );
    return new Map(
      backups.map((backup) => {
        const copies = rows.get(backup.id) ?? [];
        const shown = [
          ...copies.map((copy) => copyResource(copy, progress.get(copy.id))),
          ...owedCopies(backup, copies, this.homeRegion).map((region) => owedCopyResource(backup, region)),
        ];
        return [backup.id, shown.sort((a, b) => (a.region < b.region ? -1 : 1))];
      }),
    );
  }
}

/** The regions without a copy so far, and where it is not made. A backup that failed, or was to be deleted, owes none. */
function owedCopies({ status, copyTo, region: madeIn }: ShownBackup, copies: ShownCopy[], home: string): string[] {
  if (status === 'FAILED' || status === 'DELETE_FAILED') return [];
  const there = [madeIn ?? home, ...copies.map(({ region }) => region)];
  return copyTo.filter((region) => !there.includes(region));
}
