/** The gateway as a service. Its own process opens it, or a test opens it in the test's process. */
import type { ConfigOf, ServiceOptions } from '@strongroom/runtime';
import { apiModule, routes } from './api.module.js';
import { bodyLimit, configureApi } from './edge/every-request.js';
import { httpServer } from './edge/http-server.js';

export const api: ServiceOptions<ConfigOf['api']> = {
  module: apiModule,
  configure: (app, parts) => configureApi(app, parts, routes),
  bodyLimit,
  server: httpServer,
};
