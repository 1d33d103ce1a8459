/** Tells every region that may have something of a backup, whatever became of it there. */
import { streamOf } from '@strongroom/contracts';
import { attemptsByRegion, copyDecider, copyId, fold } from '@strongroom/domain';
import type { Ledger } from '@strongroom/ledger';
import { type BackupRow, Copies } from '@strongroom/read-model';
import type { Vaults } from '@strongroom/vault';
import type { DataSource } from 'typeorm';

export interface BackupRegionsParts {
  dataSource: DataSource;
  ledger: Ledger;
  vaults: Vaults;
  homeRegion: string;
}

export class BackupRegions {
  private readonly copies: Copies;

  constructor(private readonly parts: BackupRegionsParts) {
    this.copies = new Copies(parts.dataSource);
  }

  /** The newest attempt at the backup itself, by region. An earlier attempt may have had another home region. */
  async attempted({ id, region }: BackupRow): Promise<Map<string, number>> {
    const attempts = attemptsByRegion(await this.parts.ledger.readStream(streamOf('backup', id)));
    const last = region ?? this.parts.homeRegion;
    return attempts.set(last, attempts.get(last) ?? 0);
  }

  /**
   * The newest attempt at a copy, by every region that was ever asked for one. It counts copies that an earlier
   * deletion has removed, too.
   */
  async askedForCopies({ id }: BackupRow): Promise<Map<string, number>> {
    const { dataSource, ledger, vaults } = this.parts;
    const regions = [...new Set([...vaults.regions, ...(await this.copies.regionsOf(id))])];
    const streamIn = (region: string) => streamOf('copy', copyId(id, region));
    const known = await ledger.readStreams(dataSource.manager, regions.map(streamIn));
    const attempts = new Map<string, number>();
    for (const region of regions) {
      const copy = fold(copyDecider, known.get(streamIn(region)) ?? []);
      if (copy.is !== 'absent') attempts.set(region, copy.attempt);
    }
    return attempts;
  }
}
