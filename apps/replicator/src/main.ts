/** Runs the replicator as this process. */
import '@strongroom/runtime/free-this-process';
import { prepareDatabase } from '@strongroom/database';
import { connectFeed } from '@strongroom/feed';
import { bootstrap } from '@strongroom/runtime';
import { replicatorModule } from './replicator.module.js';

await bootstrap({
  app: 'replicator',
  prepare: prepareDatabase,
  module: replicatorModule,
  configure: (app, parts) => connectFeed(app, parts, { readinessNeedsFeed: true }),
});
