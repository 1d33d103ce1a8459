/** What the gateway sets up before it listens: faults for everything that goes wrong, and JSON as the only body. */
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { connectFeed } from '@strongroom/feed';
import type { RuntimeParts } from '@strongroom/runtime';
import { FaultFilter } from './fault.filter.js';
import { Fault } from './fault.js';

/** The largest body that is read, in bytes. */
export const bodyLimit = 65_536;

export function configureApi(app: NestFastifyApplication, parts: RuntimeParts): void {
  app.useGlobalFilters(new FaultFilter(parts.log));
  // Nest would take forms as well.
  app
    .getHttpAdapter()
    .getInstance()
    .addHook('preParsing', async (request) => {
      const type = request.headers['content-type'];
      if (type !== undefined && !/^application\/json\s*(;|$)/i.test(type)) {
        throw new Fault(
          'badMediaType',
          `A body of ${JSON.stringify(type.slice(0, 100))} can't be read. Send application/json.`,
        );
      }
    });
  // An API without handlers of its own relays what it and others append.
  connectFeed(app, parts, { readinessNeedsFeed: false });
}
