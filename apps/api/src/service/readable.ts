/**
 * Tells whether what the gateway is for can be read: it does what a GET of a list and a GET of one resource do. A process that is alive
 * and connected may still fail every read, when a table, a column or a privilege is missing.
 */
import { Inject, type OnModuleInit } from '@nestjs/common';
import { sampleOfViews, Views } from '@strongroom/read-model';
import { Health } from '@strongroom/runtime';
import { DataSource } from 'typeorm';
import { BackupResources } from '../backups/resource.js';
import { InstanceResources } from '../instances/resource.js';
import { ScheduleResources } from '../schedules/resource.js';

/** No token can be of this account. */
const nobody = '';

export class Readable implements OnModuleInit {
  private isThere = false;

  constructor(
    @Inject(Health) private readonly health: Health,
    @Inject(DataSource) private readonly dataSource: DataSource,
    @Inject(Views) private readonly views: Views,
    @Inject(ScheduleResources) private readonly schedules: ScheduleResources,
    @Inject(BackupResources) private readonly backups: BackupResources,
    @Inject(InstanceResources) private readonly instances: InstanceResources,
  ) {}

  /** Nest calls it once for the HTTP server and once for the feed. */
  onModuleInit(): void {
    if (this.isThere) return;
    this.isThere = true;
    this.health.addReadiness('reads', () => this.read());
  }

  /** About a dozen short statements, however much there is. */
  private async read(): Promise<void> {
    await this.views.catchUp(nobody);
    const page = { limit: 1 };
    await this.schedules.page({ accountId: nobody }, page);
    await this.backups.page({ accountId: nobody }, page);
    await this.instances.page({ accountId: nobody }, page);
    const { schedule, backup, instance } = await sampleOfViews(this.dataSource);
    if (schedule) await this.schedules.tryToShow(schedule);
    if (backup) await this.backups.of(backup);
    if (instance) await this.instances.of(instance);
  }
}
