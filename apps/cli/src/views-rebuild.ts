/** Makes the views anew, and tells how far that is. */
import { createDataSource } from '@strongroom/database';
import { Ledger } from '@strongroom/ledger';
import { type RebuildProgress, Views, viewTables } from '@strongroom/read-model';
import { databaseUrl } from './database-options.js';
import { notingNowAndThen, say } from './output.js';

export async function rebuildViews(): Promise<void> {
  const options = { url: databaseUrl(), applicationName: 'strongroom-views', entities: viewTables };
  const dataSource = await createDataSource(options).initialize();
  try {
    const begunAt = performance.now();
    const tell = notingNowAndThen();
    let last: RebuildProgress = { accounts: 0, events: 0, newest: 0 };
    await new Views(dataSource, new Ledger(dataSource)).rebuild((progress) => {
      last = progress;
      tell(`${progress.events} of about ${progress.newest} events, of ${progress.accounts} accounts`);
    });
    const seconds = ((performance.now() - begunAt) / 1_000).toFixed(1);
    say(`The views of ${last.accounts} accounts are made anew, from ${last.events} events in ${seconds} s.`);
  } finally {
    await dataSource.destroy();
  }
}
