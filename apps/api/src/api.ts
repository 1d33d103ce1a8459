/** The gateway as a service, which its process opens, or a test within the test's own process. */
import type { ConfigOf, ServiceOptions } from '@strongroom/runtime';
import { apiModule } from './api.module.js';
import { bodyLimit, configureApi } from './edge/every-request.js';
import { httpServer } from './edge/http-server.js';

export const api: ServiceOptions<ConfigOf['api']> = {
  module: apiModule,
  configure: configureApi,
  bodyLimit,
  server: httpServer,
};
