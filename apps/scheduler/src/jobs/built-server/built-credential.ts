/**
 * The connection of a server that is built from a backup, and the password that is sealed for it. Its roles are those of its source, so
 * the password is the source's, and it is taken from an instance of the same account only.
 */
import type { Endpoint } from '@strongroom/contracts';
import { CredentialFault, type Credentials } from '@strongroom/credentials';
import { backupDecider, type InstanceToBuild, instanceDecider, type RegisteredInstance } from '@strongroom/domain';
import type { EngineFor } from '@strongroom/engines';
import type { LeasedLedger } from '@strongroom/ledger';
import type { Logger } from '@strongroom/runtime';

export interface BuiltCredentialParts {
  credentials: Credentials;
  engineFor: EngineFor;
  log: Logger;
}

const local = { host: '127.0.0.1', tls: 'disable' } as const;

export class BuiltCredential {
  constructor(
    private readonly parts: BuiltCredentialParts,
    private readonly ledger: LeasedLedger,
    private readonly signal: AbortSignal,
  ) {}

  /** The endpoint has its source's user and password, since its roles are its source's. */
  async endpointOf(instance: InstanceToBuild, port: number): Promise<Endpoint> {
    const source = await this.sourceOf(instance);
    const { user, database } = source?.endpoint ?? this.parts.engineFor(instance.datastore.type).usual;
    const endpoint = { ...local, port, user, database };
    await this.keep({ ...instance, endpoint }, source);
    return endpoint;
  }

  /** Seals the source's password for the server. Its server has no certificates: it is reached on its own host. */
  private async keep(
    { accountId, instanceId, endpoint }: Pick<RegisteredInstance, 'accountId' | 'instanceId' | 'endpoint'>,
    source: RegisteredInstance | undefined,
  ): Promise<void> {
    const { credentials } = this.parts;
    await this.ledger.outlast('keeping the credential', async () => {
      const credential = source && (await credentials.get(source));
      if (credential) await credentials.put({ accountId, instanceId, endpoint }, { password: credential.password });
    });
  }

  /** An attempt that had lost its lease may have sealed the password for another port than the one that was recorded. */
  async mend(instance: RegisteredInstance): Promise<void> {
    const { log } = this.parts;
    if (instance.builtFrom === null || (instance.credentialId ?? null) !== null) return;
    try {
      const kept = await this.parts.credentials.get(instance).catch((error: unknown) => {
        if (error instanceof CredentialFault) return undefined;
        throw error;
      });
      if (!kept) await this.keep(instance, await this.sourceOf({ ...instance, backupId: instance.builtFrom }));
    } catch (error) {
      if (this.signal.aborted) throw error;
      log.warn(
        { err: error, instance: instance.instanceId },
        'the password of a built server could not be sealed for it',
      );
    }
  }

  /** The instance that the backup was taken of, if it is of the same account: its password goes to no other. */
  private async sourceOf({
    accountId,
    backupId,
  }: Pick<InstanceToBuild, 'accountId' | 'backupId'>): Promise<RegisteredInstance | undefined> {
    const backup = await this.ledger.stateOf(backupDecider, backupId);
    if (!('request' in backup)) return undefined;
    const source = await this.ledger.stateOf(instanceDecider, backup.request.instanceId);
    return source.is === 'registered' && source.accountId === accountId ? source : undefined;
  }
}
