/**
 * One attempt at a requested backup. The engine takes it from the server, it goes compressed into the vault of the home
 * region, and an event tells its end. Only the newest attempt can end a backup, so one that was overtaken changes nothing.
 */
import { type Endpoint, faultOf, isRefusal, streamOf } from '@strongroom/contracts';
import type { Credentials } from '@strongroom/credentials';
import {
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
import { type CausedLedger, isOutage, LeasedLedger, type LeasedLedgerParts } from '@strongroom/ledger';
import type { Clock, Hold, LeasedJob, Logger, Performed } from '@strongroom/runtime';
import { endingWith, type Vault, VaultFault, type Vaults } from '@strongroom/vault';
import { ParentCheck } from './parent-check.js';
import type { ServerLineage } from './server-lineage.js';

/** After this many lost runners the backup is failed and not tried again, because it may be what ends them. */
const mostLost = 5;

export interface BackupAttemptParts extends LeasedLedgerParts {
  clock: Clock;
  credentials: Credentials;
  engineFor: EngineFor;
  vaults: Pick<Vaults, 'regions'>;
  /** The vault of the home region. */
  vault: Vault;
  lineage: Pick<ServerLineage, 'identify'>;
  /** Called when a backup is of another server than the backup before it. */
  onAnotherServer?: () => void;
  /** The name of the process, which runs the backup. */
  runner: string;
}

type OpenBackup = Extract<BackupState, { is: 'requested' | 'running' }>;

/** A backup that was asked for and has not ended. */
interface Asked {
  backup: OpenBackup;
  ledger: CausedLedger;
  log: Logger;
}

export class BackupAttempt {
  private readonly backupId: string;
  /** Names this attempt in commands: the ledger refuses one that another attempt has overtaken. */
  private readonly thisAttempt: { backupId: string; attempt: number };
  private readonly ledger: LeasedLedger;
  /** Where the server was reached. */
  private endpoint: Endpoint | undefined;

  constructor(
    private readonly parts: BackupAttemptParts,
    private readonly job: LeasedJob,
    private readonly hold: Hold,
  ) {
    this.backupId = job.id;
    this.thisAttempt = { backupId: job.id, attempt: job.attempt };
    this.ledger = new LeasedLedger(parts, { what: `backup ${job.id}`, signal: hold.signal });
  }

  /** Ends with the backup completed or failed in the ledger. @throws when the lease is lost or the process stops */
  async perform(): Promise<Performed> {
    const { backupId, job, parts } = this;
    const history = await this.ledger.history(streamOf('backup', backupId));
    const backup = fold(backupDecider, history);
    const [request] = history;
    if ((backup.is !== 'requested' && backup.is !== 'running') || !request) return 'finished';
    const log = parts.log.child({ backup: backupId, attempt: job.attempt, ...request.context });
    const asked = { backup, ledger: this.ledger.causedBy(request, parts.runner), log };
    return job.failures >= mostLost ? this.failAsLost(asked) : this.begin(asked);
  }

  private async failAsLost(asked: Asked): Promise<Performed> {
    const reason = `The backup was begun ${mostLost} times and its runner was lost each time. Look into the scheduler's log.`;
    await this.fail(asked, { code: 'runner-lost', reason });
    return 'finished';
  }

  private async begin(asked: Asked): Promise<Performed> {
    const { backup, ledger, log } = asked;
    const { runner, vault } = this.parts;
    const start = { type: 'StartBackup', ...this.thisAttempt, region: vault.region, runner } as const;
    const begun = await ledger.record(backupDecider, this.backupId, start);
    if (!isRefusal(begun)) {
      log.info({ instance: backup.request.instanceId }, 'backup begun');
      await this.make(asked);
      return 'finished';
    }
    log.info(`backup not begun: ${begun.message}`);
    // When the table of jobs was lost, their attempts are counted from 1 again. The next lease has the next number.
    return begun.refused === 'attempt-superseded' ? { retryInMs: 0 } : 'finished';
  }

  private async make(asked: Asked): Promise<void> {
    const startedAt = this.parts.clock.now();
    let stored: StoredBackup | undefined;
    try {
      stored = await this.store(asked, startedAt);
    } catch (error) {
      if (this.hold.signal.aborted) throw error;
      const { code, message: reason } = faultOf(error);
      asked.log.error({ err: error }, `backup failed: ${reason}`);
      await this.fail(asked, { code, reason });
    }
    if (stored) await this.complete(asked, stored, startedAt);
  }

  /** Fails the backup and removes it from the vault. When this is refused, another attempt has it or has ended it. */
  private async fail({ ledger, log }: Asked, fault: { code: string; reason: string }): Promise<void> {
    const { backupId, thisAttempt } = this;
    const failed = await ledger.record(backupDecider, backupId, { type: 'FailBackup', ...thisAttempt, ...fault });
    if (isRefusal(failed)) {
      log.warn(`backup not failed: ${failed.message}`);
      return;
    }
    // In a vault that is away the sweep removes what is left.
    await endingWith(this.parts.vault, this.hold.signal)
      .purge(backupId, thisAttempt.attempt)
      .catch((error: unknown) => {
        log.warn({ err: error }, 'what a failed backup left in the vault could not be removed');
      });
  }

  /**
   * A run of a schedule that can't build on its parent is full, in this attempt and in those after it. An incremental that a
   * client has asked for fails, and tells why.
   * @returns undefined when another attempt has taken over
   */
  private async store(asked: Asked, startedAt: Date): Promise<StoredBackup | undefined> {
    const { backup, ledger } = asked;
    const parentId = backup.madeFull ? null : backup.request.parentId;
    try {
      if (parentId !== null) await new ParentCheck(this.parts, ledger).check(parentId);
      return await this.storeOn(parentId, backup, startedAt);
    } catch (error) {
      const isFallback = error instanceof IncrementalNotPossible && backup.request.trigger === 'slot';
      if (!isFallback || this.hold.signal.aborted) throw error;
      return (await this.makeFull(asked, error)) ? this.storeOn(null, backup, startedAt) : undefined;
    }
  }

  /** @returns whether this attempt may go on */
  private async makeFull(
    { ledger, log }: Asked,
    { ground, message: reason }: IncrementalNotPossible,
  ): Promise<boolean> {
    log.warn(`the backup is full, though an incremental was planned: ${reason}`);
    const command = { type: 'MakeFull', ...this.thisAttempt, ground, reason } as const;
    const told = await ledger.record(backupDecider, this.backupId, command);
    if (isRefusal(told)) log.warn(`backup not made full: ${told.message}`);
    return !isRefusal(told);
  }

  private async storeOn(
    parentId: string | null,
    { accountId, request }: OpenBackup,
    startedAt: Date,
  ): Promise<StoredBackup> {
    const { credentials, engineFor, vault, clock } = this.parts;
    const { instanceId } = request;
    const instance = await this.instance(instanceId);
    const { endpoint, name: instanceName } = instance;
    this.endpoint = endpoint;
    const { password = '', clientKey } =
      (await this.ledger.outlast('reading the credential', () => credentials.get(instance))) ?? {};
    return storeBackup({
      engine: engineFor(request.datastore.type),
      vault,
      clock,
      target: { instanceId, endpoint, password, clientKey },
      backup: {
        backupId: this.backupId,
        accountId,
        instanceId,
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
    const instance = await this.ledger.stateOf(instanceDecider, instanceId);
    if (instance.is === 'registered') return instance;
    throw new EngineFault('server-unreachable', `Instance ${instanceId} is not registered any more.`);
  }

  private async complete(asked: Asked, stored: StoredBackup, startedAt: Date): Promise<void> {
    const { ledger, log } = asked;
    const { location, type, parentId, sizeBytes, rawBytes, sha256, datastore } = stored;
    const { region } = this.parts.vault;
    const identity = await this.identify(asked, stored);
    const made = { type, parentId, region, location, sizeBytes, rawBytes, sha256 };
    const result = { ...made, startedAt: startedAt.toISOString() };
    const { instanceId } = asked.backup.request;
    if (this.endpoint) {
      const told = { type: 'NoteVersion', instanceId, endpoint: this.endpoint, datastore } as const;
      await ledger.record(instanceDecider, instanceId, told);
    }
    const command = { type: 'CompleteBackup', ...this.thisAttempt, identity, datastore, result } as const;
    const completed = await ledger.record(backupDecider, this.backupId, command);
    if (isRefusal(completed)) {
      log.warn(`backup not completed: ${completed.message}`);
      return;
    }
    if (identity.another) this.warnOf(asked, identity.lineage, identity.another);
    const ms = this.parts.clock.now().getTime() - startedAt.getTime();
    log.info({ sizeBytes, rawBytes, sha256, ms }, 'backup completed');
  }

  /** Identifies the server of the backup. Since the bytes are safe by now, this waits for a vault that is away. */
  private identify({ backup, ledger }: Asked, { facts }: StoredBackup): Promise<BackupIdentity> {
    const { accountId, request } = backup;
    const { instanceId, datastore } = request;
    const identified = { backupId: this.backupId, accountId, instanceId, datastoreType: datastore.type, facts };
    return ledger.outlast(
      'telling the server',
      () => this.parts.lineage.identify(identified, ledger.context),
      (error) => isOutage(error) || (error instanceof VaultFault && error.retryable),
    );
  }

  private warnOf(
    { backup, log }: Asked,
    lineage: string,
    { formerLineage, formerBackupId, reason }: NonNullable<BackupIdentity['another']>,
  ): void {
    this.parts.onAnotherServer?.();
    log.warn(
      { instance: backup.request.instanceId, lineage, formerLineage, formerBackupId },
      `another server was found behind the instance than that of backup ${formerBackupId}: ${reason} Retention counts its backups apart`,
    );
  }
}
