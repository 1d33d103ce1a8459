/** Whether an account may store more. Nothing new is begun while it may not; what was begun before goes on. */
import { Inject } from '@nestjs/common';
import { whyOverQuota } from '@strongroom/domain';
import { storedBytesOf, Views } from '@strongroom/read-model';
import { type AppConfig, configToken, quotaOf } from '@strongroom/runtime';
import { DataSource } from 'typeorm';
import { HttpFault } from '../edge/http-fault.js';

const gib = 1_073_741_824;

export class StorageQuota {
  constructor(
    @Inject(DataSource) private readonly dataSource: DataSource,
    @Inject(Views) private readonly views: Views,
    @Inject(configToken) private readonly config: AppConfig,
  ) {}

  /** @throws {HttpFault} overLimit */
  async mustHaveRoom(accountId: string): Promise<void> {
    const mostGib = quotaOf(this.config.quotas['stored-gib'], accountId);
    if (mostGib === null) return;
    await this.views.catchUp(accountId);
    const stored = (await storedBytesOf(this.dataSource.manager, [accountId])).get(accountId) ?? 0;
    if (stored < mostGib * gib) return;
    throw new HttpFault('overLimit', whyOverQuota({ bytes: stored, mostGib }));
  }
}
