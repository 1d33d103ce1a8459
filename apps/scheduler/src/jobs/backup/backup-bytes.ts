/**
 * Takes a backup from its server, and stores it in the vault of its home region. It tells what is stored; the attempt records what
 * becomes of the backup.
 */
import type { DatastoreType, Endpoint } from '@strongroom/contracts';
import type { Credentials } from '@strongroom/credentials';
import { type BackupState, instanceDecider, mustBelong, type RegisteredInstance } from '@strongroom/domain';
import {
  type BackupLimits,
  type BackupTaker,
  EngineFault,
  type ExpectedSeals as SealsOfBackup,
  type StoredBackup,
  storeBackup,
} from '@strongroom/engines';
import type { LeasedLedger } from '@strongroom/ledger';
import {
  type Clock,
  type DeletionConfig,
  deletionRulesOf,
  type Hold,
  type LeasedJob,
  type Logger,
} from '@strongroom/runtime';
import { endingWith, keepFor, type Vault } from '@strongroom/vault';
import type { AccountsEncryption } from './backup-encryption.js';
import { InstanceForgotten } from './backup-faults.js';
import type { ExpectedSeals } from './expected-seals.js';

export interface BackupBytesParts {
  clock: Clock;
  log: Logger;
  credentials: Credentials;
  /** Takes the backups. */
  takerFor: (type: DatastoreType) => BackupTaker;
  /** The vault of the home region. */
  vault: Vault;
  expectedSeals: Pick<ExpectedSeals, 'of' | 'forget'>;
  /** For whom backups are encrypted. Default: they are not. */
  encryption?: Pick<AccountsEncryption, 'of'>;
  /** For how long a vault that can is to keep the backup from everybody. */
  config: { deletion: DeletionConfig };
  /** Whether this process has the data of a built server. Its address is that of the loopback interface. */
  isServedHere?: (instance: RegisteredInstance) => Promise<boolean>;
  /** The name of the process, which runs the backup. */
  runner: string;
  /** What a backup may take. Default: the usual. */
  backupLimits?: BackupLimits;
}

export type OpenBackup = Extract<BackupState, { is: 'requested' | 'running' }>;

export interface TakenBackup {
  stored: StoredBackup;
  /** Where the server was reached. */
  endpoint: Endpoint;
}

export class BackupBytes {
  constructor(
    private readonly parts: BackupBytesParts,
    private readonly job: LeasedJob,
    private readonly hold: Hold,
    private readonly ledger: LeasedLedger,
  ) {}

  /** @param parent what it is built on; null for a full one */
  async take(parent: { id: string; sha256: string } | null, backup: OpenBackup, startedAt: Date): Promise<TakenBackup> {
    const { config, credentials, takerFor, vault, clock, backupLimits } = this.parts;
    const { accountId, request } = backup;
    const { instanceId } = request;
    const instance = await this.instance(backup);
    const { endpoint, name: instanceName } = instance;
    const { password = '', clientKey } =
      (await this.ledger.outlast('reading the credential', () => credentials.get(instance))) ?? {};
    const stored = await storeBackup({
      engine: takerFor(request.datastore.type),
      vault,
      clock,
      target: { accountId, instanceId, endpoint, password, clientKey, isBuiltHere: instance.builtFrom !== null },
      backup: {
        backupId: this.job.id,
        accountId,
        instanceId,
        instanceName,
        type: parent === null ? 'full' : 'incremental',
        parentId: parent?.id ?? null,
        startedAt,
      },
      parentSha256: parent?.sha256,
      attempt: this.job.attempt,
      encryption: this.parts.encryption?.of(accountId),
      seals: this.seals(backup),
      signal: this.hold.signal,
      ...(backupLimits && { limits: backupLimits }),
      progress: (doneBytes, totalBytes) => this.hold.progress(doneBytes, totalBytes),
    });
    const { minimumMs } = deletionRulesOf(config.deletion, accountId);
    await keepFor(endingWith(vault, this.hold.signal), this.job.id, minimumMs);
    return { stored, endpoint };
  }

  private async instance({ accountId, request: { instanceId } }: OpenBackup): Promise<RegisteredInstance> {
    const instance = await this.ledger.stateOf(instanceDecider, instanceId);
    if (instance.is !== 'registered') throw new InstanceForgotten(instanceId);
    const what = `Instance ${instanceId} does not belong to the account of backup ${this.job.id}.`;
    mustBelong(what, instance, { accountId, instanceId });
    const { isServedHere } = this.parts;
    if (instance.builtFrom === null || !isServedHere || (await isServedHere(instance))) return instance;
    // Another server may listen on the same port here.
    const message = `The server of instance ${instanceId} was built on another host than that of scheduler ${this.parts.runner}, which can't reach it. A scheduler that has its data in STRONGROOM_INSTANCES_DIR takes the backup.`;
    throw new EngineFault('server-unreachable', message);
  }

  private seals({ request: { instanceId } }: OpenBackup): SealsOfBackup {
    const { expectedSeals, log } = this.parts;
    const onStranger = (sha256: string) =>
      log.warn(
        { backup: this.job.id, instance: instanceId },
        `what the home vault has sealed as this backup, with the SHA-256 ${sha256}, no attempt was about to seal: the backup is made anew. An older version of Strongroom has sealed it, or somebody has forged it`,
      );
    return expectedSeals.of(
      { backupId: this.job.id, attempt: this.job.attempt },
      (what, action) => this.ledger.outlast(what, action),
      onStranger,
    );
  }

  /** Nobody takes a backup any more that has ended. */
  forgetSeals(): Promise<void> {
    return this.ledger.outlast('forgetting what was to be sealed', () => this.parts.expectedSeals.forget(this.job.id));
  }
}
