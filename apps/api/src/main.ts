/** Runs the HTTP gateway as this process. */
import '@strongroom/runtime/free-this-process';
import { bootstrap } from '@strongroom/runtime';
import { api } from './api.js';

await bootstrap({ app: 'api', ...api });
