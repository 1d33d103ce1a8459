/**
 * One attempt at a requested backup: server → engine → compression → the home region's vault, then the event that says
 * so. Only the newest attempt can end a backup, so one that was overtaken while it slept changes nothing.
 */
import {
  type EngineFacts,
  type EventContext,
  isRefusal,
  type RecordedEvent,
  type Refusal,
  type StreamName,
  streamOf,
} from '@strongroom/contracts';
import type { Credentials } from '@strongroom/credentials';
import {
  type BackupCommand,
  type BackupIdentity,
  type BackupState,
  backupDecider,
  fold,
  instanceDecider,
  type RegisteredInstance,
} from '@strongroom/domain';
import {
  EngineFault,
  type EngineFor,
  IncrementalNotPossible,
  type StoredBackup,
  storeBackup,
} from '@strongroom/engines';
import { type Executed, execute, isOutage, type Ledger } from '@strongroom/ledger';
import {
  type Clock,
  type Hold,
  type Ids,
  type LeasedJob,
  type Logger,
  type Performed,
  persist,
} from '@strongroom/runtime';
import { type Vault, VaultFault, type Vaults } from '@strongroom/vault';
import { ParentCheck } from './parent-check.js';
import type { ServerLineage } from './server-lineage.js';

/** So many lost runners, and the backup is failed rather than tried again: it may be what kills them. */
const mostLost = 5;

export interface BackupAttemptParts {
  ledger: Ledger;
  ids: Ids;
  clock: Clock;
  log: Logger;
  credentials: Credentials;
  engineFor: EngineFor;
  vaults: Pick<Vaults, 'regions'>;
  /** The home region's. */
  vault: Vault;
  lineage: Pick<ServerLineage, 'identify'>;
  /** Called when a backup came to be of another server than the one before it. */
  onAnotherServer?: () => void;
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
    const history = await this.history(streamOf('backup', backupId));
    const backup = fold(backupDecider, history);
    const requested = history[0];
    if ((backup.is !== 'requested' && backup.is !== 'running') || !requested) return 'finished';
    const context: EventContext = { ...requested.context, causationId: requested.id, actor: parts.runner };
    const log = parts.log.child({ backup: backupId, attempt: job.attempt, ...requested.context });
    const record = (command: BackupCommand) => this.record(backup, context, command);

    if (job.failures >= mostLost) {
      const reason = `The backup was begun ${mostLost} times and its runner was lost each time. Look into the scheduler's log.`;
      await this.fail(record, { code: 'runner-lost', reason }, log);
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
    let stored: StoredBackup | undefined;
    try {
      stored = await this.store(backup, startedAt, context, record, log);
    } catch (error) {
      if (this.hold.signal.aborted) throw error;
      const { code, message } = faultOf(error);
      log.error({ err: error }, `backup failed: ${message}`);
      await this.fail(record, { code, reason: message }, log);
      return 'finished';
    }
    if (!stored) return 'finished';
    const { location, type, parentId, sizeBytes, rawBytes, sha256, facts } = stored;
    const identity = await this.identify(backup, facts, context);
    const made = { type, parentId, region: parts.vault.region, location, sizeBytes, rawBytes, sha256 };
    const result = { ...made, startedAt: startedAt.toISOString() };
    const completed = await record({
      type: 'CompleteBackup',
      backupId,
      attempt: job.attempt,
      identity,
      result,
    });
    if (isRefusal(completed)) {
      log.warn(`backup not completed: ${completed.message}`);
      return 'finished';
    }
    if (identity.another) this.warnOf(backup, identity.lineage, identity.another, log);
    const ms = parts.clock.now().getTime() - startedAt.getTime();
    log.info({ sizeBytes, rawBytes, sha256, ms }, 'backup completed');
    return 'finished';
  }

  /** Nothing of a failed backup stays in the vault. One that was refused to fail has another attempt, or has ended. */
  private async fail(
    record: (command: BackupCommand) => Promise<Executed | Refusal>,
    fault: { code: string; reason: string },
    log: Logger,
  ): Promise<void> {
    const { backupId, job } = this;
    const failed = await record({ type: 'FailBackup', backupId, attempt: job.attempt, ...fault });
    if (isRefusal(failed)) {
      log.warn(`backup not failed: ${failed.message}`);
      return;
    }
    // A vault that is away keeps what was left there until the sweep.
    await this.parts.vault.purge(backupId, job.attempt).catch((error: unknown) => {
      log.warn({ err: error }, 'what a failed backup left in the vault could not be removed');
    });
  }

  /**
   * A run of a schedule that can't build on its parent is full, in this attempt and in those after it; whoever asked for
   * an incremental is told why there is none.
   * @returns undefined when another attempt has taken over
   */
  private async store(
    backup: OpenBackup,
    startedAt: Date,
    context: EventContext,
    record: (command: BackupCommand) => Promise<Executed | Refusal>,
    log: Logger,
  ): Promise<StoredBackup | undefined> {
    const { backupId, job } = this;
    const { parentId, trigger } = backup.request;
    if (backup.madeFull) return this.storeOn(null, backup, startedAt);
    try {
      if (parentId !== null) {
        const check = new ParentCheck(this.parts, backup.accountId, context);
        await this.outlasting('looking for the parent', () => check.check(parentId));
      }
      return await this.storeOn(parentId, backup, startedAt);
    } catch (error) {
      const isFallback = error instanceof IncrementalNotPossible && trigger === 'slot';
      if (!isFallback || this.hold.signal.aborted) throw error;
      log.warn(`the backup is full, though an incremental was planned: ${error.message}`);
      const { ground, message: reason } = error;
      const told = await record({ type: 'MakeFull', backupId, attempt: job.attempt, ground, reason });
      if (!isRefusal(told)) return this.storeOn(null, backup, startedAt);
      log.warn(`backup not made full: ${told.message}`);
      return undefined;
    }
  }

  private identify(
    { accountId, request: { instanceId, datastore } }: OpenBackup,
    facts: EngineFacts,
    context: EventContext,
  ): Promise<BackupIdentity> {
    const { backupId, hold, parts } = this;
    const what = `telling the server of backup ${backupId}`;
    return persist(
      () => parts.lineage.identify({ backupId, accountId, instanceId, datastoreType: datastore.type, facts }, context),
      {
        what,
        // The bytes are safe by now: a vault that is away is waited for.
        passes: (error) => isOutage(error) || (error instanceof VaultFault && error.retryable),
        signal: hold.signal,
        log: parts.log,
      },
    );
  }

  private warnOf(
    { request: { instanceId } }: OpenBackup,
    lineage: string,
    { formerLineage, formerBackupId, reason }: NonNullable<BackupIdentity['another']>,
    log: Logger,
  ): void {
    this.parts.onAnotherServer?.();
    log.warn(
      { instance: instanceId, lineage, formerLineage, formerBackupId },
      `another server was found behind the instance than that of backup ${formerBackupId}: ${reason} Retention counts its backups apart`,
    );
  }

  private async storeOn(
    parentId: string | null,
    { accountId, request }: OpenBackup,
    startedAt: Date,
  ): Promise<StoredBackup> {
    const { credentials, engineFor, vault, clock } = this.parts;
    const { endpoint, name: instanceName } = await this.instance(request.instanceId);
    const password = await this.outlasting('reading the credential', () => credentials.get(request.instanceId));
    return storeBackup({
      engine: engineFor(request.datastore.type),
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

  private async instance(instanceId: string): Promise<RegisteredInstance> {
    const instance = fold(instanceDecider, await this.history(streamOf('instance', instanceId)));
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
    const what = `recording ${command.type}`;
    return this.outlasting(what, () => execute(this.parts, backupDecider, target, command));
  }

  private history(stream: StreamName): Promise<RecordedEvent[]> {
    return this.outlasting(`reading ${stream}`, () => this.parts.ledger.readStream(stream));
  }

  /** That Strongroom's own database is away is no reason to fail a customer's backup. */
  private outlasting<T>(what: string, action: () => Promise<T>): Promise<T> {
    const { log } = this.parts;
    const told = `${what} for backup ${this.backupId}`;
    return persist(action, { what: told, passes: isOutage, signal: this.hold.signal, log });
  }
}

function faultOf(error: unknown): { code: string; message: string } {
  if (error instanceof EngineFault || error instanceof VaultFault) return { code: error.code, message: error.message };
  return {
    code: 'unexpected',
    message: `The backup broke off unexpectedly: ${error instanceof Error ? error.message : String(error)}`,
  };
}
