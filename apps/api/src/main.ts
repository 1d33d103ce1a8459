/** Runs the HTTP gateway as this process. */
import { prepareDatabase } from '@strongroom/database';
import { bootstrap } from '@strongroom/runtime';
import { apiModule } from './api.module.js';
import { bodyLimit, configureApi } from './configure-api.js';

await bootstrap({ app: 'api', prepare: prepareDatabase, module: apiModule, configure: configureApi, bodyLimit });
