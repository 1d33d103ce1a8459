/**
 * What can be asked of a backup. When a method returns, its effect is on disk. When the domain refuses, nothing has
 * changed, and the method throws the refusal as the contract answers it.
 */
import { Inject } from '@nestjs/common';
import type { CreateBackupRequest, RecordedEvent } from '@strongroom/contracts';
import { backupDecider, instanceDecider, serverToBackUp } from '@strongroom/domain';
import { execute, Ledger, stateOf } from '@strongroom/ledger';
import { Ids } from '@strongroom/runtime';
import { Regions } from '../copies/regions.js';
import { type Caller, mustReach, targetOf } from '../edge/caller.js';
import { unlessRefused } from '../edge/http-fault.js';
import { Incrementals } from './incrementals.js';
import { BackupResources } from './resource.js';
import { StorageQuota } from './storage-quota.js';

const nothingThere = {
  ground: 'nothing-to-build-on',
  reason: 'When it was asked for there was no completed backup of the instance to build on.',
};

export class BackupCommands {
  constructor(
    @Inject(Ledger) readonly ledger: Ledger,
    @Inject(Ids) readonly ids: Ids,
    @Inject(Regions) private readonly regions: Regions,
    @Inject(Incrementals) private readonly incrementals: Incrementals,
    @Inject(BackupResources) private readonly backups: BackupResources,
    @Inject(StorageQuota) private readonly storage: StorageQuota,
  ) {}

  /** @returns what was recorded of the new backup */
  async request(caller: Caller, asked: CreateBackupRequest): Promise<RecordedEvent[]> {
    const { accountId, newId: backupId } = caller;
    const { instance: instanceId, copy_to: copyTo = [] } = asked;
    mustReach(caller, instanceId);
    this.regions.check('backup.copy_to', copyTo);
    const instance = await stateOf(this.ledger, instanceDecider, instanceId);
    const server = unlessRefused('RequestBackup', serverToBackUp(accountId, instanceId, instance));
    const parentId = await this.incrementals.parentFor(server, asked, caller);
    await this.regions.checkParent('backup.copy_to', copyTo, { accountId, parentId });
    await this.storage.mustHaveRoom(accountId);
    if (parentId !== null) await this.incrementals.mustBePossible(server, asked);
    const outcome = await execute(this, backupDecider, targetOf(caller, backupId, instanceId), {
      type: 'RequestBackup',
      request: {
        backupId,
        instanceId,
        scheduleId: null,
        slotAt: null,
        trigger: 'request',
        type: parentId === null ? 'full' : 'incremental',
        parentId,
        name: asked.name,
        description: asked.description ?? null,
        datastore: server.datastore,
        copyTo,
      },
      ...(parentId !== null && { parent: await stateOf(this.ledger, backupDecider, parentId) }),
      ...(parentId === null && asked.incremental && { madeFull: nothingThere }),
    });
    return unlessRefused('RequestBackup', await this.backups.tellingRetry({ accountId, instanceId }, outcome)).events;
  }
}
