/**
 * Whether this process can reach the vault that backups are made in: the breaker of the home region. An outage is met by the backups that
 * are under way, and each records its attempt. No other one is begun until a probe has found the region again, and none records anything: the
 * outage itself is a row that anybody can look at. Then all that have waited are due at once.
 */
import {
  type Clock,
  type Jobs,
  type Logger,
  messageOfOutage,
  type RegionOutage,
  type RegionOutages,
} from '@strongroom/runtime';
import { type Vault, VaultFault } from '@strongroom/vault';
import type { DataSource } from 'typeorm';

export interface HomeOutageParts {
  dataSource: DataSource;
  jobs: Pick<Jobs, 'wake'>;
  clock: Clock;
  log: Logger;
  vault: Pick<Vault, 'region' | 'probe'>;
  outages: Pick<RegionOutages, 'keep'>;
  /** The name of the process that can't reach it. */
  runner: string;
}

export class HomeOutage {
  private outage: RegionOutage | undefined;
  private waiting = new Set<string>();
  /** Those that have waited in the outage before. */
  private waited: { outage: RegionOutage; backups: ReadonlySet<string> } | undefined;

  constructor(private readonly parts: HomeOutageParts) {}

  /** The outage that goes on; undefined when nothing is known against the region. */
  now(): RegionOutage | undefined {
    return this.outage;
  }

  /** Tells that an attempt has failed. When the region can be reached nevertheless, only that attempt is in trouble. */
  async tell(error: unknown): Promise<void> {
    const { vault, clock, log } = this.parts;
    const isOfHome = error instanceof VaultFault && error.region === vault.region;
    if (!isOfHome || error.code !== 'vault-unavailable' || this.outage) return;
    const fault = await this.probed();
    if (!fault) return;
    this.outage = { region: vault.region, since: clock.now(), code: fault.code, reason: fault.told };
    log.warn({ err: fault, region: vault.region }, `backups wait, and none is begun: ${fault.message}`);
  }

  /** The backup is due as soon as the region is back. */
  waits(backupId: string): void {
    this.waiting.add(backupId);
  }

  /** Why the backup has waited for the region, as far as this process knows. */
  waitedFor(backupId: string): RegionOutage | undefined {
    return this.waited?.backups.has(backupId) ? this.waited.outage : undefined;
  }

  /** Looks whether the region is back. When it is, everything that has waited is due. */
  async look(): Promise<void> {
    const { dataSource, jobs, log, outages, runner } = this.parts;
    const { outage } = this;
    if (outage && !(await this.probed())) {
      const backups = this.waiting;
      this.waited = { outage, backups };
      this.waiting = new Set();
      this.outage = undefined;
      log.info({ region: outage.region, waited: backups.size }, `${outage.region} is back: its backups are due`);
      await dataSource.transaction((manager) => jobs.wake(manager, 'backup', [...backups]));
    }
    await outages.keep(runner, this.outage ? [this.outage] : []);
  }

  /** @returns why the region can't be reached */
  private async probed(): Promise<VaultFault | undefined> {
    try {
      await this.parts.vault.probe();
      return undefined;
    } catch (error) {
      if (error instanceof VaultFault) return error;
      throw error;
    }
  }
}

/** What is said of a backup that could not be made because its home region was away. */
export function whyAway(outage: RegionOutage, isTried: boolean): string {
  const begun = isTried ? 'no further attempt at the backup was begun' : 'no attempt at the backup was begun';
  return `${messageOfOutage(outage)} For as long as a backup may be late, ${begun}. Ask for it again when the region is back.`;
}
