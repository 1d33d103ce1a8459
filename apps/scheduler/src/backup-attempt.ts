/**
 * One attempt at a requested backup: server → engine → compression → the home region's vault, then the event that says
 * so. Only the newest attempt can end a backup, so one that was overtaken while it slept changes nothing.
 */
import { type EventContext, isRefusal, type Refusal, streamOf } from '@strongroom/contracts';
import type { Credentials } from '@strongroom/credentials';
import {
  type BackupCommand,
  type BackupState,
  backupDecider,
  fold,
  instanceDecider,
  type RegisteredInstance,
} from '@strongroom/domain';
import { type Engine, EngineFault, type StoredBackup, storeBackup } from '@strongroom/engines';
import { type Executed, execute, isOutage, type Ledger } from '@strongroom/ledger';
import type { Backups } from '@strongroom/read-model';
import {
  type Clock,
  type Hold,
  type Ids,
  type LeasedJob,
  type Logger,
  type Performed,
  persist,
} from '@strongroom/runtime';
import { type Vault, VaultFault } from '@strongroom/vault';
import type { ChainEnds } from './chain-ends.js';

/** So many lost runners, and the backup is failed rather than tried again: it may be what kills them. */
const mostLost = 5;
/** A full backup ends the chains of so many before it: whatever is older has ended with one of those. */
const mostChains = 3;

export interface BackupAttemptParts {
  ledger: Ledger;
  ids: Ids;
  clock: Clock;
  log: Logger;
  credentials: Credentials;
  engine: Engine;
  backups: Backups;
  chainEnds: ChainEnds;
  /** The home region's. */
  vault: Vault;
  /** Who runs it: the process. */
  runner: string;
}

type OpenBackup = Extract<BackupState, { is: 'requested' | 'running' }>;

export class BackupAttempt {
  private readonly backupId: string;

  constructor(
    private readonly parts: BackupAttemptParts,
    private readonly job: LeasedJob,
    private readonly hold: Hold,
  ) {
    this.backupId = job.id;
  }

  /** Ends with the backup completed or failed in the ledger, or with an error when the lease is lost or the process stops. */
  async perform(): Promise<Performed> {
    const { backupId, job, parts } = this;
    const history = await parts.ledger.readStream(streamOf('backup', backupId));
    const backup = fold(backupDecider, history);
    const requested = history[0];
    if ((backup.is !== 'requested' && backup.is !== 'running') || !requested) return 'finished';
    const context: EventContext = { ...requested.context, causationId: requested.id, actor: parts.runner };
    const log = parts.log.child({ backup: backupId, attempt: job.attempt, ...requested.context });
    const record = (command: BackupCommand) => this.record(backup, context, command);

    if (job.failures >= mostLost) {
      const reason = `The backup was begun ${mostLost} times and its runner was lost each time. Look into the scheduler's log.`;
      await record({ type: 'FailBackup', backupId, attempt: job.attempt, code: 'runner-lost', reason });
      await this.clearUp(log);
      await parts.chainEnds.end(backup.request.instanceId, [backupId]);
      return 'finished';
    }
    const begun = await record({
      type: 'StartBackup',
      backupId,
      attempt: job.attempt,
      region: parts.vault.region,
      runner: parts.runner,
    });
    if (isRefusal(begun)) {
      log.info(`backup not begun: ${begun.message}`);
      // Jobs are counted anew when their table was lost; the next lease has the next number.
      return begun.refused === 'attempt-superseded' ? { retryInMs: 0 } : 'finished';
    }
    const startedAt = parts.clock.now();
    log.info({ instance: backup.request.instanceId }, 'backup begun');
    try {
      const { location, type, parentId, sizeBytes, rawBytes, sha256 } = await this.store(backup, startedAt, log);
      const result = {
        type,
        parentId,
        region: parts.vault.region,
        location,
        sizeBytes,
        rawBytes,
        sha256,
        startedAt: startedAt.toISOString(),
      };
      const completed = await record({ type: 'CompleteBackup', backupId, attempt: job.attempt, result });
      if (isRefusal(completed)) {
        log.warn(`backup not completed: ${completed.message}`);
        return 'finished';
      }
      const ms = parts.clock.now().getTime() - startedAt.getTime();
      log.info({ sizeBytes, rawBytes, sha256, ms }, 'backup completed');
      if (type === 'full') await this.endEarlierChains(backup.request.instanceId);
    } catch (error) {
      if (this.hold.signal.aborted) throw error;
      const { code, message } = faultOf(error);
      log.error({ err: error }, `backup failed: ${message}`);
      await record({ type: 'FailBackup', backupId, attempt: job.attempt, code, reason: message });
      await parts.chainEnds.end(backup.request.instanceId, [backupId]);
    }
    return 'finished';
  }

  /** A run of a schedule that can't build on its parent is full; whoever asked for an incremental is told why there is none. */
  private async store(backup: OpenBackup, startedAt: Date, log: Logger): Promise<StoredBackup> {
    const { parentId, trigger } = backup.request;
    try {
      if (parentId !== null) await this.checkParent(parentId);
      return await this.storeOn(parentId, backup, startedAt);
    } catch (error) {
      const isFallback =
        error instanceof EngineFault && error.code === 'incremental-not-possible' && trigger === 'slot';
      if (!isFallback || this.hold.signal.aborted) throw error;
      log.warn(`the backup is full, though an incremental was planned: ${error.message}`);
      return this.storeOn(null, backup, startedAt);
    }
  }

  /** @throws {EngineFault} `incremental-not-possible` when the parent was deleted since, or the home vault does not hold it */
  private async checkParent(parentId: string): Promise<void> {
    const parent = fold(backupDecider, await this.parts.ledger.readStream(streamOf('backup', parentId)));
    if (parent.is === 'completed' && (await this.parts.vault.manifest(parentId))) return;
    throw new EngineFault(
      'incremental-not-possible',
      `Backup ${parentId}, which it was to be built on, is not there any more. Take a full backup.`,
    );
  }

  private async storeOn(
    parentId: string | null,
    { accountId, request }: OpenBackup,
    startedAt: Date,
  ): Promise<StoredBackup> {
    const { credentials, engine, vault, clock } = this.parts;
    const { endpoint, name: instanceName } = await this.instance(request.instanceId);
    const password = await credentials.get(request.instanceId);
    return storeBackup({
      engine,
      vault,
      clock,
      target: { instanceId: request.instanceId, endpoint, password: password?.password ?? '' },
      backup: {
        backupId: this.backupId,
        accountId,
        instanceId: request.instanceId,
        instanceName,
        type: parentId === null ? 'full' : 'incremental',
        parentId,
        startedAt,
      },
      attempt: this.job.attempt,
      signal: this.hold.signal,
      progress: (doneBytes, totalBytes) => this.hold.progress(doneBytes, totalBytes),
    });
  }

  private async endEarlierChains(instanceId: string): Promise<void> {
    const fulls = await this.parts.backups.fullsOf(instanceId, mostChains + 1);
    const earlier = fulls.map(({ id }) => id).filter((id) => id !== this.backupId);
    await this.parts.chainEnds.end(instanceId, earlier);
  }

  /** What the last of the dead attempts left under a temporary name. A vault that is away keeps it: no attempt can seal it. */
  private async clearUp(log: Logger): Promise<void> {
    try {
      await (await this.parts.vault.begin(this.backupId, this.job.attempt)).discard();
    } catch (error) {
      log.warn({ err: error }, 'what the lost runners left in the vault could not be removed');
    }
  }

  private async instance(instanceId: string): Promise<RegisteredInstance> {
    const instance = fold(instanceDecider, await this.parts.ledger.readStream(streamOf('instance', instanceId)));
    if (instance.is !== 'registered')
      throw new EngineFault('server-unreachable', `Instance ${instanceId} is not registered any more.`);
    return instance;
  }

  /** The ledger may be away when the bytes are safe already: the event is worth waiting for, as long as the lease is ours. */
  private record(
    { accountId, request }: OpenBackup,
    context: EventContext,
    command: BackupCommand,
  ): Promise<Executed | Refusal> {
    const target = { id: this.backupId, accountId, instanceId: request.instanceId, context };
    return persist(() => execute(this.parts, backupDecider, target, command), {
      what: `recording ${command.type} of backup ${this.backupId}`,
      passes: isOutage,
      signal: this.hold.signal,
      log: this.parts.log,
    });
  }
}

function faultOf(error: unknown): { code: string; message: string } {
  if (error instanceof EngineFault || error instanceof VaultFault) return { code: error.code, message: error.message };
  return {
    code: 'unexpected',
    message: `The backup broke off unexpectedly: ${error instanceof Error ? error.message : String(error)}`,
  };
}
