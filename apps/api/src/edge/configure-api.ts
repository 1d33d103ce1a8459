/** What the gateway sets up before it listens: who is let in, what a body may be, and a fault for everything that goes wrong. */
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { connectFeed } from '@strongroom/feed';
import { Identity } from '@strongroom/identity';
import type { RuntimeParts } from '@strongroom/runtime';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Reads } from '../reads.js';
import { guardAccounts } from './access.js';
import { HttpFaultFilter } from './http-fault.filter.js';
import { HttpFault, quoted } from './http-fault.js';
import { refuseAsFaults } from './http-server.js';
import { IdempotencyInterceptor } from './idempotency.interceptor.js';
import { IdempotentRequests } from './idempotent-requests.js';
import { readJson } from './json-body.js';
import { LateDatabase } from './late-database.js';
import { RateLimits } from './rate-limits.js';

/** The largest body that is read, in bytes. */
export const bodyLimit = 65_536;

export function configureApi(app: NestFastifyApplication, parts: RuntimeParts): void {
  app.useGlobalFilters(new HttpFaultFilter(parts.log));
  const server: FastifyInstance = app.getHttpAdapter().getInstance();
  refuseAsFaults(server);
  guardAccounts(server, { identity: app.get(Identity), database: app.get(LateDatabase), limits: app.get(RateLimits) });
  app.useGlobalInterceptors(new IdempotencyInterceptor(app.get(IdempotentRequests), app.get(Reads), parts.log));
  // Nest would take forms, and Fastify texts as well.
  server.addHook('preParsing', async (request) => {
    if (hasBody(request)) onlyJson(request);
  });
  app.useBodyParser('application/json', { bodyLimit }, (_, body, done) => done(null, readJson(body)));
  // An API without handlers of its own relays what it and others append.
  connectFeed(app, parts, { readinessNeedsFeed: false });
}

function hasBody({ headers }: FastifyRequest): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

/** @throws {HttpFault} badMediaType */
function onlyJson({ headers }: FastifyRequest): void {
  const { 'content-type': type = '', 'content-encoding': encoding = 'identity' } = headers;
  if (!/^application\/json\s*(;\s*charset\s*=\s*"?utf-8"?\s*)?;?$/i.test(type)) {
    throw new HttpFault(
      'badMediaType',
      `A body of type ${quoted(type)} can't be read. Send application/json, in UTF-8.`,
    );
  }
  if (encoding !== 'identity') {
    throw new HttpFault('badMediaType', `A body encoded as ${quoted(encoding)} can't be read. Send it as it is.`);
  }
}
