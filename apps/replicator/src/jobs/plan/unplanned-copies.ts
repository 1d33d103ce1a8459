/** The copies that are owed and that nobody has planned: of completed backups whose message is on its way, lost or set aside. */
import { streamOf } from '@strongroom/contracts';
import { copyId } from '@strongroom/domain';
import { unhandledEvents } from '@strongroom/feed';
import type { Ledger } from '@strongroom/ledger';
import type { Owed } from '@strongroom/read-model';
import type { Clock } from '@strongroom/runtime';
import type { DataSource } from 'typeorm';

export interface UnplannedCopiesParts {
  dataSource: DataSource;
  ledger: Ledger;
  clock: Clock;
  /** Of the replicators. */
  group: string;
}

export class UnplannedCopies {
  constructor(private readonly parts: UnplannedCopiesParts) {}

  async owed(): Promise<Owed[]> {
    const { dataSource, ledger, clock, group } = this.parts;
    const now = clock.now().getTime();
    const owed = (await unhandledEvents(this.parts, group, 'BackupCompleted')).flatMap((event) =>
      event.type === 'BackupCompleted'
        ? event.data.copyTo
            .filter((region) => region !== event.data.region)
            .map((region) => ({
              region,
              copies: 1,
              oldestMs: Math.max(0, now - Date.parse(event.at)),
              stranded: 0,
              stream: streamOf('copy', copyId(event.data.backupId, region)),
            }))
        : [],
    );
    if (owed.length === 0) return [];
    const planned = await ledger.readStreams(
      dataSource.manager,
      owed.map(({ stream }) => stream),
    );
    return owed.filter(({ stream }) => !planned.has(stream));
  }
}
