/** Which regions a client may name: those of the deployment, and of these the ones that the backup can be copied to. */
import { Inject } from '@nestjs/common';
import { regionsHolding } from '@strongroom/domain';
import { type BackupRow, Backups, Copies } from '@strongroom/read-model';
import { type AppConfig, configToken, noCopiesTo } from '@strongroom/runtime';
import { HttpFault, quoted } from '../edge/http-fault.js';

const notHere = 'is no region of this deployment';

export class Regions {
  constructor(
    @Inject(configToken) private readonly config: AppConfig,
    @Inject(Backups) private readonly backups: Backups,
    @Inject(Copies) private readonly copies: Copies,
  ) {}

  /** @throws {HttpFault} badRequest naming the first region that takes no copies, why, and the regions that do */
  check(field: string, regions: readonly string[]): void {
    const { homeRegion, copyRegions } = this.config;
    const wrong = regions.find((region) => !copyRegions.includes(region));
    if (wrong === undefined) return;
    const why = wrong === homeRegion ? 'is the home region, where the backup is made' : notHere;
    throw new HttpFault('badRequest', `${field}: ${quoted(wrong)} ${why}. Allowed: ${copyRegions.join(', ')}.`);
  }

  /**
   * A backup can also be copied to the home region: to one that has lost it, or that came to be the home region later.
   * @param backup the backup to copy; undefined as long as it is not known
   * @throws {HttpFault} badRequest naming the region, why not, and the regions that are allowed
   */
  checkTarget(field: string, region: string, backup?: BackupRow): void {
    const { homeRegion, copyRegions } = this.config;
    const allowed = [homeRegion, ...copyRegions].filter(
      (each) => each !== noCopiesTo || backup === undefined || each === backup.region,
    );
    if (allowed.includes(region)) return;
    const why = region === homeRegion ? 'takes no copies of backups made elsewhere' : notHere;
    throw new HttpFault('badRequest', `${field}: ${quoted(region)} ${why}. Allowed: ${allowed.join(', ')}.`);
  }

  /** @throws {HttpFault} badRequest when one of the regions does not hold the backup that a copy would be built on */
  async checkParent(
    field: string,
    regions: readonly string[],
    { accountId, parentId }: { accountId: string; parentId: string | null },
  ): Promise<void> {
    if (parentId === null || regions.length === 0) return;
    const held = await this.holding(accountId, parentId);
    const wrong = regions.find((region) => !held.includes(region));
    if (wrong === undefined) return;
    throw new HttpFault(
      'badRequest',
      `${field}: ${wrong} does not hold backup ${parentId}, which this one is built on. Copy that one there first.`,
    );
  }

  /** The regions that hold the backup, as far as the views know: the one where it was made, and those with a completed copy. */
  async holding(accountId: string, backupId: string): Promise<string[]> {
    const backup = await this.backups.find(accountId, backupId);
    if (backup?.status !== 'COMPLETED') return [];
    const copies = (await this.copies.ofBackups([backupId])).get(backupId) ?? [];
    return regionsHolding({
      madeIn: backup.region,
      copies: copies.map(({ region, status }) => ({ region, isCompleted: status === 'COMPLETED' })),
    });
  }
}
