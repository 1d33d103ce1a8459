/** Makes the views anew, and tells how far that is. */
import { createDataSource } from '@strongroom/database';
import { Ledger } from '@strongroom/ledger';
import { type RebuildProgress, Views, viewTables } from '@strongroom/read-model';
import { databaseUrl } from './database-options.js';
import { say, sayJson } from './output.js';
import { Progress } from './progress.js';

export interface RebuildViewsOptions {
  json?: true;
}

export async function rebuildViews({ json }: RebuildViewsOptions): Promise<void> {
  const options = { url: databaseUrl(), applicationName: 'strongroom-views', entities: viewTables };
  const dataSource = await createDataSource(options).initialize();
  const progress = new Progress('making the views anew', { json, counted: 'events' });
  try {
    let last: RebuildProgress = { accounts: 0, events: 0, newest: 0 };
    const views = new Views(dataSource, new Ledger(dataSource));
    const rebuilding = views.rebuild((told) => {
      last = told;
      progress.reach(told.events, told.newest);
    });
    await rebuilding.finally(() => progress.end());
    const { accounts, events } = last;
    if (json) sayJson({ accounts, events, seconds: Math.ceil(progress.seconds) }, 2);
    else say(`The views of ${accounts} accounts are made anew, from ${progress.summary}.`);
  } finally {
    await dataSource.destroy();
  }
}
