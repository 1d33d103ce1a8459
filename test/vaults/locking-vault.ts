/** A vault whose store keeps backups until a time from everybody, as an object store with locks does. */
import type { Clock } from '@strongroom/runtime';
import { type Removed, type Vault, VaultFault } from '@strongroom/vault';
import { PassingVault } from './passing-vault.js';

export class LockingVault extends PassingVault {
  private readonly locks = new Map<string, Date>();

  /** @param clock the store's own */
  constructor(
    vault: Vault,
    private readonly clock: Clock,
  ) {
    super(vault);
  }

  /** Until when the backup was ever to be kept; undefined when it never was. */
  askedUntil(backupId: string): Date | undefined {
    return this.locks.get(backupId);
  }

  override get keeps(): boolean {
    return true;
  }

  override async keptUntil(backupId: string): Promise<Date | undefined> {
    const until = this.locks.get(backupId);
    return until !== undefined && until > this.clock.now() ? until : undefined;
  }

  override async keepUntil(backupId: string, until: Date): Promise<boolean> {
    const before = this.locks.get(backupId);
    if (before === undefined || before < until) this.locks.set(backupId, until);
    return true;
  }

  override async purge(backupId: string, attempt: number): Promise<Removed> {
    const until = await this.keptUntil(backupId);
    if (until === undefined) return super.purge(backupId, attempt);
    const message = `The vault of ${this.region} keeps backup ${backupId} until ${until.toISOString()}.`;
    throw new VaultFault('object-locked', this.region, message);
  }
}
