/** Whether a backup can be incremental, found out before it is accepted. */
import type { Credentials } from '@strongroom/credentials';
import { type Engine, EngineFault } from '@strongroom/engines';
import type { InstanceRow } from '@strongroom/read-model';
import type { Logger } from '@strongroom/runtime';
import { Fault } from './fault.js';
import type { Reads } from './reads.js';

interface Asked {
  parent_id?: string | undefined;
  incremental?: boolean | undefined;
}

const askMs = 3_000;
const oldestVersion = 17;

export class Incrementals {
  constructor(
    private readonly reads: Reads,
    private readonly credentials: Credentials,
    private readonly engine: Engine,
    private readonly log: Logger,
  ) {}

  /**
   * The backup to build on; null for a full one, which is also what comes of `incremental` where there is nothing yet.
   * @throws {Fault} itemNotFound when there is no such parent, unprocessableEntity when the server can't do it
   */
  async parentFor(instance: InstanceRow, { parent_id, incremental }: Asked): Promise<string | null> {
    const { accountId, id } = instance;
    if (parent_id !== undefined) await this.reads.backup(accountId, parent_id);
    const parentId = parent_id ?? (incremental ? await this.reads.newestCompleted(id) : undefined);
    if (parentId === undefined) return null;
    const why = await this.whyNot(instance);
    if (why === undefined) return parentId;
    throw new Fault('unprocessableEntity', `backup.${parent_id ? 'parent_id' : 'incremental'}: ${why}`);
  }

  /** A server that can't be asked now may be there when the backup is taken, which then tells. */
  private async whyNot({ id, datastoreVersion, endpoint }: InstanceRow): Promise<string | undefined> {
    if (Number.parseInt(datastoreVersion, 10) < oldestVersion) {
      return `The server is PostgreSQL ${datastoreVersion}; incremental backups are taken of version ${oldestVersion} and newer.`;
    }
    if (!endpoint) return 'The instance is not there yet.';
    const { password = '' } = (await this.credentials.get(id)) ?? {};
    try {
      return await this.engine.whyNotIncremental({ instanceId: id, endpoint, password }, AbortSignal.timeout(askMs));
    } catch (error) {
      if (!(error instanceof EngineFault)) throw error;
      this.log.info({ err: error, instance: id }, 'whether the server takes incrementals could not be asked');
      return undefined;
    }
  }
}
