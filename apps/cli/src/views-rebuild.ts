/** Makes the views anew, and tells how far that is. */
import { Ledger } from '@strongroom/ledger';
import { type RebuildProgress, Views, viewTables } from '@strongroom/read-model';
import { onDatabase } from './open-database.js';
import { note, sayJson } from './output.js';
import { Progress } from './progress.js';

export interface RebuildViewsOptions {
  json?: true;
}

export async function rebuildViews({ json }: RebuildViewsOptions): Promise<void> {
  let last: RebuildProgress = { accounts: 0, events: 0, newest: 0 };
  const progress = new Progress('making the views anew', { json, counted: 'events' });
  await onDatabase({ applicationName: 'strongroom-views', entities: viewTables }, (dataSource) =>
    new Views(dataSource, new Ledger(dataSource)).rebuild((told) => {
      last = told;
      progress.reach(told.events, told.newest);
    }),
  ).finally(() => progress.end());
  const { accounts, events } = last;
  if (json) sayJson({ accounts, events, seconds: Math.ceil(progress.seconds) }, 2);
  else note(`The views of ${accounts} accounts are made anew, from ${progress.summary}.`);
}
