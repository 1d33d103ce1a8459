/**
 * Gives every HTTP request an id, which is in the answer and in each log line and event that follows from the request. Every
 * request ends in one log line and one measurement.
 */
import type { IncomingMessage } from 'node:http';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Ids } from './ids.js';
import { type LogContext, type Logger, runInContext } from './log.js';
import type { Metrics } from './metrics.js';

/** The ids that a client may choose. Any other is replaced, because ids go into headers, logs and events. */
const givenId = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/;
const ownRoutes = /^\/(health\/|metrics$)/;

/** The request's own id, or a new one. */
export function requestIdOf(request: IncomingMessage, ids: Ids): string {
  return idIn(request, 'x-request-id') ?? ids.next();
}

function idIn({ headers }: IncomingMessage, name: string): string | undefined {
  const value = headers[name];
  return typeof value === 'string' && givenId.test(value) ? value : undefined;
}

export function followRequests(server: FastifyInstance, log: Logger, metrics: Metrics): void {
  const contexts = new WeakMap<FastifyRequest, LogContext>();
  const contextOf = (request: FastifyRequest): LogContext => {
    const known = contexts.get(request);
    if (known) return known;
    const context = { requestId: request.id, correlationId: idIn(request.raw, 'x-correlation-id') ?? request.id };
    contexts.set(request, context);
    return context;
  };
  const seconds = metrics.histogram({
    name: 'strongroom_http_request_seconds',
    help: 'Time to answer an HTTP request.',
    labels: ['method', 'route', 'status'],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
  });

  server.addHook('onRequest', (request, reply, done) => {
    reply.header('X-Request-Id', request.id);
    runInContext(contextOf(request), done);
  });
  // A body is parsed in events of the socket, which belong to no request. So the context is set again after that.
  server.addHook('preValidation', (request, _reply, done) => runInContext(contextOf(request), done));
  server.addHook('onResponse', (request, reply, done) => {
    const route = request.routeOptions.url ?? 'unknown';
    seconds.observe({ method: request.method, route, status: String(reply.statusCode) }, reply.elapsedTime / 1_000);
    const [path = ''] = request.url.split('?', 1);
    runInContext(contextOf(request), () =>
      log[ownRoutes.test(path) ? 'debug' : 'info'](
        { method: request.method, path, status: reply.statusCode, ms: Math.round(reply.elapsedTime) },
        'answered',
      ),
    );
    done();
  });
}
