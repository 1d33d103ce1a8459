/** Runs the scheduler as this process. */
import '@strongroom/runtime/free-this-process';
import { prepareDatabase } from '@strongroom/database';
import { connectFeed } from '@strongroom/feed';
import { bootstrap } from '@strongroom/runtime';
import { schedulerModule } from './scheduler.module.js';

await bootstrap({
  app: 'scheduler',
  prepare: prepareDatabase,
  module: schedulerModule,
  configure: (app, parts) => connectFeed(app, parts, { readinessNeedsFeed: true }),
});
