/** The server below the routes: what Fastify and Node would answer by themselves is answered as a fault of the contract. */
import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { RuntimeParts, ServiceOptions } from '@strongroom/runtime';
import type { FastifyInstance } from 'fastify';
import { answer } from './http-fault.filter.js';
import { HttpFault, quoted } from './http-fault.js';

/**
 * How much of a body is read before anybody wants it, and how much of an answer waits for its client before more is asked for, in bytes: that of
 * a thousand clients at a time has to fit into the memory. Node from version 22 on would take four times as much.
 */
const mostAhead = 16_384;

type ServerOptions = ReturnType<NonNullable<ServiceOptions['server']>>;

export function httpServer({ log, ids }: Pick<RuntimeParts, 'log' | 'ids'>): ServerOptions {
  return {
    http: { requireHostHeader: false, highWaterMark: mostAhead },
    routerOptions: { ignoreTrailingSlash: true },
    // A request that arrives while the gateway stops is answered as usual.
    return503OnClosing: false,
    frameworkErrors: ({ code }, request, reply) => {
      const fault = code === 'FST_ERR_MAX_PARAM_LENGTH' ? tooLong() : unreadablePath();
      log.info({ requestId: request.id, method: request.method, status: fault.status, code }, 'answered');
      answer(reply.header('X-Request-Id', request.id), fault);
    },
    clientErrorHandler: ({ code }, socket) => {
      if (code === 'ECONNRESET' || socket.destroyed) return;
      const requestId = ids.next();
      const fault = ofConnection(code);
      log.info({ requestId, status: fault.status, code }, 'answered');
      if (socket.writable) socket.write(written(fault, requestId));
      socket.destroy();
    },
  };
}

/** A request whose Host or Expect header Node would refuse without a body is refused like any other request. */
export function refuseUnmetHeaders(server: FastifyInstance): void {
  server.server.on('checkExpectation', (request, response) => server.server.emit('request', request, response));
  server.addHook('onRequest', (request, _, done) => done(unmetHeader(request.raw)));
}

function unmetHeader({ httpVersion, headers }: IncomingMessage): HttpFault | undefined {
  if (httpVersion === '1.1' && headers.host === undefined) {
    return new HttpFault('badRequest', 'The request has no Host header, which HTTP/1.1 requires.');
  }
  if (headers.expect !== undefined && !/^100-continue$/i.test(headers.expect)) {
    return new HttpFault('badRequest', `Expect: ${quoted(headers.expect)} can't be met; there is 100-continue.`);
  }
  return undefined;
}

function unreadablePath(): HttpFault {
  return new HttpFault(
    'badRequest',
    "The request's path can't be read: a % in it must be followed by the two digits of a byte of UTF-8.",
  );
}

/** No id or name is so long that something could have this path. */
function tooLong(): HttpFault {
  return new HttpFault('itemNotFound', "There is nothing at the request's path: a part of it is too long.");
}

function ofConnection(code: string | undefined): HttpFault {
  if (code === 'HPE_HEADER_OVERFLOW')
    return new HttpFault('overLimit', "The request's line and headers are larger than this service takes (16 KiB).");
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT')
    return new HttpFault('badRequest', 'The request did not arrive as a whole in time.');
  return new HttpFault('badRequest', 'This is not a request of HTTP/1.1.');
}

/** The fault as the bytes of the last response on its connection. */
function written({ status, body }: HttpFault, requestId: string): string {
  const text = JSON.stringify(body);
  return [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'Content-Type: application/json; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(text)}`,
    `X-Request-Id: ${requestId}`,
    'Connection: close',
    '',
    text,
  ].join('\r\n');
}
