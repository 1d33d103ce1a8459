/** How a backup is copied to a region when somebody asks. When the method returns, its effect is on disk; a refusal is thrown as its answer. */
import { Inject } from '@nestjs/common';
import { streamOf } from '@strongroom/contracts';
import { backupDecider, copyDecider, copyId } from '@strongroom/domain';
import { execute, Ledger, stateOf } from '@strongroom/ledger';
import { Ids } from '@strongroom/runtime';
import { Regions } from '../copies/regions.js';
import { type Caller, mustHave, targetOf } from '../edge/caller.js';
import { mustNotChangeTooOften } from '../edge/changes-a-day.js';
import { unlessRefused } from '../edge/http-fault.js';
import { BackupResources } from './resource.js';
import { StorageQuota } from './storage-quota.js';

export class Copying {
  constructor(
    @Inject(Ledger) readonly ledger: Ledger,
    @Inject(Ids) readonly ids: Ids,
    @Inject(Regions) private readonly regions: Regions,
    @Inject(BackupResources) private readonly backups: BackupResources,
    @Inject(StorageQuota) private readonly storage: StorageQuota,
  ) {}

  /** Asks for a copy in the region. A copy that is on its way stays as it is; one that is complete is read back once more. */
  async request(caller: Caller, backupId: string, region: string): Promise<void> {
    mustHave(caller, 'backup.copy', 'copy-backup');
    const field = 'copy-backup.target_backup_region';
    this.regions.checkTarget(field, region);
    const row = await this.backups.find(caller, backupId);
    this.regions.checkTarget(field, region, row);
    await this.regions.checkParent(field, [region], row);
    const holding = await this.regions.holding(caller.accountId, backupId);
    if (!holding.includes(region)) await this.storage.mustHaveRoom(caller.accountId);
    const id = copyId(backupId, region);
    const what = { name: `The copy of backup ${backupId} in ${region}`, stream: streamOf('copy', id) };
    await mustNotChangeTooOften(this.ledger, caller, what, ['CopyRequested', 'CopyCheckRequested']);
    const target = targetOf(caller, id, row.instanceId);
    const outcome = await execute(this, copyDecider, target, {
      type: 'CopyBackup',
      accountId: caller.accountId,
      backupId,
      backup: await stateOf(this.ledger, backupDecider, backupId),
      region,
      sourceRegion: holding.find((each) => each !== region),
    });
    unlessRefused('CopyBackup', outcome);
  }
}
