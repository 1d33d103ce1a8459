/** The calls on backups and their copies, each with the resource as its result. All throw an `ApiFault`. */
import {
  type BackupResource,
  type CopyResource,
  deleteBackupsId,
  getBackups,
  getBackupsId,
  getBackupsIdCopies,
  postBackups,
  postBackupsIdAction,
  type ToldRestoreTest,
} from '@strongroom/contracts';
import type { BodyOf, CallOptions, QueryOf } from './call.js';
import type { OperationCaller } from './operation-caller.js';

export class BackupCalls {
  constructor(private readonly caller: OperationCaller) {}

  async create(backup: BodyOf<typeof postBackups>['backup'], options: CallOptions = {}): Promise<BackupResource> {
    return (await this.caller.call(postBackups, { ...options, body: { backup } })).body.backup;
  }

  async get(id: string, options: CallOptions = {}): Promise<BackupResource> {
    return (await this.caller.call(getBackupsId, { ...options, id })).body.backup;
  }

  /** All of them, the newest first, read page by page. */
  async *list(query: QueryOf<typeof getBackups> = {}, options: CallOptions = {}): AsyncGenerator<BackupResource> {
    for await (const page of this.caller.pages(getBackups, { ...options, query })) yield* page.backups;
  }

  /** Deletes everything that was made from it too, and all their copies. */
  async delete(id: string, options: CallOptions = {}): Promise<void> {
    await this.caller.call(deleteBackupsId, { ...options, id });
  }

  /** Copies it to the region, or puts it back into the one where it was made. */
  async copy(id: string, region: string, options: CallOptions = {}): Promise<void> {
    const body = { 'copy-backup': { target_backup_region: region } };
    await this.caller.call(postBackupsIdAction, { ...options, id, body });
  }

  /** Brings a deleted backup back, with what it is built on and what was deleted together with any of these. */
  async restoreDeleted(id: string, options: CallOptions = {}): Promise<void> {
    await this.caller.call(postBackupsIdAction, { ...options, id, body: { 'restore-deleted': {} } });
  }

  /** Keeps it from being deleted by anybody, until `liftHold`. */
  async hold(id: string, reason: string, options: CallOptions = {}): Promise<void> {
    await this.caller.call(postBackupsIdAction, { ...options, id, body: { hold: { reason } } });
  }

  async liftHold(id: string, options: CallOptions = {}): Promise<void> {
    await this.caller.call(postBackupsIdAction, { ...options, id, body: { 'lift-hold': {} } });
  }

  /** Approves, as a second person, that the bytes go of what was deleted together with it. */
  async approveDeletion(id: string, options: CallOptions = {}): Promise<void> {
    await this.caller.call(postBackupsIdAction, { ...options, id, body: { 'approve-deletion': {} } });
  }

  /** Tells that a restore of it from a region was tested: with a proof when it went well, with a fault when it failed. */
  async tellRestoreTest(id: string, test: ToldRestoreTest, options: CallOptions = {}): Promise<void> {
    await this.caller.call(postBackupsIdAction, { ...options, id, body: { 'restore-tested': test } });
  }

  /** Its copies, by region. */
  async copies(id: string, options: CallOptions = {}): Promise<CopyResource[]> {
    return (await this.caller.call(getBackupsIdCopies, { ...options, id })).body.copies;
  }
}
