/**
 * Gives every HTTP request an id of our own, which is in the answer and in each log line and event that follows from the request. What a
 * client calls its request is kept beside it, and where it comes from. Every request ends in one log line and one measurement.
 */
import type { IncomingMessage } from 'node:http';
import type { Span } from '@opentelemetry/api';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { ClientAddresses } from './client-address.js';
import { type LogContext, type Logger, runInContext } from './log.js';
import type { Metrics } from './metrics.js';
import { areSpansTold, logFieldsOf, spanOfRequest } from './tracing/spans.js';
import { traceparentOf } from './tracing/traceparent.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** Where the request comes from, as far as the listed proxies tell; empty when the connection was gone already. */
    clientAddress: string;
    /** What each line of the log about the request has; undefined until its first hook. */
    logContext: LogContext | undefined;
    /** The span of the request; undefined where traces are told to nobody. */
    span: Span | undefined;
  }
}

/** The ids of a client that are kept. Any other is left out, because they go into headers, logs and events. */
const givenId = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/;
const ownRoutes = /^\/(health\/|metrics$)/;

/** What the client calls its request, and what it calls the work that several of its requests belong to. */
export interface ClientIds {
  clientRequestId?: string;
  clientCorrelationId?: string;
}

const noIds: ClientIds = {};

export function clientIdsOf({ headers }: IncomingMessage): ClientIds {
  const { 'x-request-id': ofRequest, 'x-correlation-id': ofWork } = headers;
  if (ofRequest === undefined && ofWork === undefined) return noIds;
  const clientRequestId = idIn(ofRequest);
  const clientCorrelationId = idIn(ofWork);
  return {
    ...(clientRequestId !== undefined && { clientRequestId }),
    ...(clientCorrelationId !== undefined && { clientCorrelationId }),
  };
}

function idIn(value: string | string[] | undefined): string | undefined {
  return typeof value === 'string' && givenId.test(value) ? value : undefined;
}

export function followRequests(
  server: FastifyInstance,
  { log, metrics, addresses }: { log: Logger; metrics: Metrics; addresses: ClientAddresses },
): void {
  // The fields of this line are always the same, and none of them is secret. To look for secrets costs more than the line.
  const answered = log.child({}, { redact: [] });
  const contextOf = (request: FastifyRequest): LogContext => {
    const { id, span } = request;
    request.logContext ??= { requestId: id, correlationId: id, ...clientIdsOf(request.raw), ...logFieldsOf(span) };
    return request.logContext;
  };
  const seconds = metrics.histogram({
    name: 'strongroom_http_request_seconds',
    help: 'Time to answer an HTTP request.',
    labels: ['method', 'route', 'status'],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
  });

  server.decorateRequest('clientAddress', '');
  server.decorateRequest('logContext', undefined);
  server.decorateRequest('span', undefined);
  server.addHook('onRequest', (request, reply, done) => {
    request.clientAddress = addresses.of(request.raw);
    request.span = spanOf(request);
    reply.header('X-Request-Id', request.id);
    const context = contextOf(request);
    const { clientRequestId } = context;
    if (clientRequestId) reply.header('X-Client-Request-Id', clientRequestId);
    runInContext(context, done);
  });
  // A body is parsed in events of the socket, which belong to no request. So the context is set again after that.
  server.addHook('preValidation', (request, _reply, done) => runInContext(contextOf(request), done));
  server.addHook('onResponse', (request, reply, done) => {
    const route = routeOf(request);
    request.span?.setAttribute('http.response.status_code', reply.statusCode).end();
    seconds.observe({ method: request.method, route, status: String(reply.statusCode) }, reply.elapsedTime / 1_000);
    const [path = ''] = request.url.split('?', 1);
    const level = ownRoutes.test(path) ? 'debug' : 'info';
    if (answered.isLevelEnabled(level)) {
      const { method, clientAddress: address } = request;
      const { statusCode: status, elapsedTime } = reply;
      answered[level](
        { ...contextOf(request), method, path, status, ms: Math.round(elapsedTime), address },
        'answered',
      );
    }
    done();
  });
}

function routeOf({ routeOptions }: FastifyRequest): string {
  return routeOptions.url ?? 'unknown';
}

/** The route alone names it: a path has ids. */
function spanOf(request: FastifyRequest): Span | undefined {
  if (!areSpansTold()) return undefined;
  const { method, headers, id } = request;
  const route = routeOf(request);
  if (ownRoutes.test(route)) return undefined;
  const attributes = { 'http.request.method': method, 'http.route': route, 'strongroom.request_id': id };
  return spanOfRequest({ name: `${method} ${route}`, attributes }, headers.traceparent);
}

/** The place of a request in its trace, for the context of its events. */
export function traceOf({ span }: FastifyRequest): { traceparent?: string } {
  return span ? { traceparent: traceparentOf(span.spanContext()) } : {};
}
