/** Every region that may have something of a backup, whatever became of it there. */
import { type RecordedEvent, streamOf } from '@strongroom/contracts';
import { copyId } from '@strongroom/domain';
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

  /** Where an attempt at the backup itself has begun: another region may have been the home region then. */
  async attempted({ id, region }: BackupRow): Promise<string[]> {
    const history = await this.parts.ledger.readStream(streamOf('backup', id));
    const attempted = history.filter(isStart).map((event) => event.data.region);
    return [...new Set([...attempted, region ?? this.parts.homeRegion])];
  }

  /** Every region that ever was asked for a copy, be it that an earlier deletion has seen to it. */
  async askedForCopies({ id }: BackupRow): Promise<string[]> {
    const { dataSource, ledger, vaults } = this.parts;
    const regions = [...new Set([...vaults.regions, ...(await this.copies.regionsOf(id))])];
    const streamIn = (region: string) => streamOf('copy', copyId(id, region));
    const known = await ledger.readStreams(dataSource.manager, regions.map(streamIn));
    return regions.filter((region) => known.has(streamIn(region)));
  }
}

function isStart(event: RecordedEvent): event is RecordedEvent<'BackupStarted'> {
  return event.type === 'BackupStarted';
}
