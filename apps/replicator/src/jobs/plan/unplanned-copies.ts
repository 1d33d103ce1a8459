/**
 * The copies that are owed and that nobody has planned. Either the news of the backup is on its way, lost or set aside,
 * or its plan waits.
 */
import { type RecordedEvent, streamOf } from '@strongroom/contracts';
import { copyId } from '@strongroom/domain';
import { unhandledEvents } from '@strongroom/feed';
import type { Ledger } from '@strongroom/ledger';
import type { Owed } from '@strongroom/read-model';
import type { Clock, Jobs } from '@strongroom/runtime';
import type { DataSource } from 'typeorm';
import { owedRegions } from './copy-planning.js';

export interface UnplannedCopiesParts {
  dataSource: DataSource;
  ledger: Ledger;
  jobs: Jobs;
  clock: Clock;
  /** The consumer group of the replicators. */
  group: string;
}

/** At most this many waiting plans are looked at. */
const mostPlans = 20_000;

export class UnplannedCopies {
  constructor(private readonly parts: UnplannedCopiesParts) {}

  async owed(): Promise<Owed[]> {
    const { dataSource, ledger, clock } = this.parts;
    const now = clock.now().getTime();
    const owed = (await this.unplanned()).flatMap(({ at, data }) =>
      owedRegions(data).map((region) => ({
        region,
        copies: 1,
        oldestMs: Math.max(0, now - Date.parse(at)),
        stranded: 0,
        stream: streamOf('copy', copyId(data.backupId, region)),
      })),
    );
    if (owed.length === 0) return [];
    const { told, unreadable } = await ledger.readEach(
      dataSource.manager,
      owed.map(({ stream }) => stream),
    );
    return owed.filter(({ stream }) => !told.has(stream) && !unreadable.has(stream));
  }

  /** The completions of backups whose plan may not have been made yet, each once. */
  private async unplanned(): Promise<RecordedEvent<'BackupCompleted'>[]> {
    const { dataSource, ledger, jobs, group } = this.parts;
    const waiting = await jobs.some('plan', mostPlans);
    const streams = [...waiting].map((backupId) => streamOf('backup', backupId));
    const { told } = await ledger.readEach(dataSource.manager, streams);
    const unheard = await unhandledEvents(this.parts, group, 'BackupCompleted');
    const completions = [...[...told.values()].flat(), ...unheard].filter((event) => event.type === 'BackupCompleted');
    return [...new Map(completions.map((event) => [event.data.backupId, event])).values()];
  }
}
