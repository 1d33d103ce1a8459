/** Finds out whether a backup can be incremental before it is accepted: first by what is known here, then by asking the server. */
import { CredentialFault, type Credentials } from '@strongroom/credentials';
import { backupDecider, type RegisteredInstance, whyNotBuiltOn } from '@strongroom/domain';
import { EngineFault, type EngineFor } from '@strongroom/engines';
import { type Ledger, stateOf } from '@strongroom/ledger';
import type { Logger } from '@strongroom/runtime';
import { type Reach, reaches } from '../edge/caller.js';
import { HttpFault, unlessRefused } from '../edge/http-fault.js';
import type { BackupResources } from './resource.js';

interface Asked {
  parent_id?: string | undefined;
  incremental?: boolean | undefined;
}

const askMs = 3_000;

export class Incrementals {
  constructor(
    private readonly ledger: Ledger,
    private readonly backups: BackupResources,
    private readonly credentials: Credentials,
    private readonly engineFor: EngineFor,
    private readonly log: Logger,
  ) {}

  /**
   * The backup to build on: the ledger says whether one can, and the views which is the newest. Null for a full one; `incremental` gives a full one where there is no backup
   * yet.
   * @throws {HttpFault} itemNotFound when there is no such parent; unprocessableEntity when nothing can be built on it
   */
  async parentFor(
    { accountId, instanceId }: RegisteredInstance,
    { parent_id, incremental }: Asked,
    reach: Reach,
  ): Promise<string | null> {
    if (parent_id === undefined && !incremental) return null;
    const newest = await this.backups.newestCompleted(accountId, instanceId);
    if (parent_id === undefined) return newest ?? null;
    const found = await stateOf(this.ledger, backupDecider, parent_id);
    // What lies beyond the reach of the caller is not there for it.
    const parent = 'request' in found && !reaches(reach, found.request.instanceId) ? undefined : found;
    const refusal = whyNotBuiltOn({ parentId: parent_id, accountId, instanceId }, parent);
    if (refusal) {
      const isThere = refusal.refused !== 'backup-unknown';
      const message = isThere ? `backup.parent_id: ${refusal.message}` : refusal.message;
      unlessRefused('RequestBackup', { ...refusal, message });
    }
    if (newest !== undefined && parent_id !== newest) {
      throw new HttpFault(
        'unprocessableEntity',
        `backup.parent_id: Backup ${parent_id} is not the newest of its instance, and no server can prove any more that it is the one it was taken of. Build on backup ${newest}, the newest, or take a full backup.`,
      );
    }
    return parent_id;
  }

  /** @throws {HttpFault} unprocessableEntity when the server can take no incrementals */
  async mustBePossible(server: RegisteredInstance, { parent_id }: Asked): Promise<void> {
    const why = await this.whyNot(server);
    if (why !== undefined) {
      throw new HttpFault('unprocessableEntity', `backup.${parent_id ? 'parent_id' : 'incremental'}: ${why}`);
    }
  }

  /** What the server tells counts. When it can't be asked now, the version does that is known: the backup itself finds out. */
  private async whyNot(instance: RegisteredInstance): Promise<string | undefined> {
    const { accountId, instanceId, datastore, endpoint, builtFrom } = instance;
    const engine = this.engineFor(datastore.type);
    try {
      const { password = '', clientKey } = (await this.credentials.get(instance)) ?? {};
      const target = { accountId, instanceId, endpoint, password, clientKey, isBuiltHere: builtFrom !== null };
      const { incremental } = await engine.describe(target, AbortSignal.timeout(askMs));
      return incremental.isPossible ? undefined : incremental.why;
    } catch (error) {
      if (!(error instanceof EngineFault || error instanceof CredentialFault)) throw error;
      this.log.info({ err: error, instance: instanceId }, 'whether the server takes incrementals could not be asked');
      const { incremental } = engine.abilitiesOf(datastore.version);
      return incremental.isPossible ? undefined : incremental.why;
    }
  }
}
