/** What every kind of vault says to an attempt that comes late. Nothing is changed for it. */
import { VaultFault } from './vault-fault.js';

export class AttemptsApart {
  constructor(private readonly region: string) {}

  /** @throws {VaultFault} `upload-superseded`, when a later attempt has begun or the backup was removed */
  refuseLate(
    state: { attempt: number; gone?: true | undefined },
    { backupId, attempt }: { backupId: string; attempt: number },
  ): void {
    if (state.attempt > attempt) throw this.late(backupId, attempt, state.attempt);
    if (!state.gone || state.attempt < attempt) return;
    throw this.superseded(
      `Attempt ${attempt} at putting backup ${backupId} into the vault of ${this.region} comes late: the backup was removed.`,
    );
  }

  late(backupId: string, attempt: number, newest: number): VaultFault {
    return this.superseded(
      `Attempt ${attempt} at backup ${backupId} in the vault of ${this.region} comes late: attempt ${newest} has begun. A later attempt needs a higher number.`,
    );
  }

  lost(backupId: string, cause?: unknown): VaultFault {
    return this.superseded(
      `The upload of backup ${backupId} to the vault of ${this.region} was superseded by a later attempt, or the backup was removed.`,
      cause,
    );
  }

  /**
   * @param held the newest attempt, and where the sealed backup lies
   * @param kept the same, as the ledger has them
   * @throws {VaultFault} `upload-superseded`, when a later attempt has begun or the backup lies elsewhere
   */
  refuseUnlessKept(
    backupId: string,
    held: { attempt: number; location: string | undefined },
    kept: { attempt: number; location: string },
  ): void {
    if (held.attempt > kept.attempt) throw this.late(backupId, kept.attempt, held.attempt);
    if (held.location === kept.location) return;
    throw this.superseded(
      `Backup ${backupId} in the vault of ${this.region} does not lie at ${kept.location}: nothing of it is removed.`,
    );
  }

  private superseded(message: string, cause?: unknown): VaultFault {
    return new VaultFault('upload-superseded', this.region, message, { cause });
  }
}
