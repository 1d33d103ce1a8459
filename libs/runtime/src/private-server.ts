/**
 * Serves what is for operators alone: the metrics, and the health with every detail. It has a port of its own, which clients do not
 * reach, and few connections.
 */
import { createServer, type ServerResponse } from 'node:http';
import { type AddressInfo, isIPv6 } from 'node:net';
import { messageOf } from '@strongroom/contracts';
import type { Health } from './health.js';
import type { Logger } from './log.js';
import type { Metrics } from './metrics.js';

export interface PrivateServerParts {
  health: Health;
  metrics: Metrics;
  log: Logger;
}

export interface PrivateServer {
  readonly url: string;
  close(): Promise<void>;
}

const mostConnections = 100;
const slowestRequestMs = 10_000;

/** @throws when it can't listen there */
export async function openPrivateServer(
  { host, port }: { host: string; port: number },
  parts: PrivateServerParts,
): Promise<PrivateServer> {
  const server = createServer(
    { requestTimeout: slowestRequestMs, headersTimeout: slowestRequestMs },
    (request, reply) => {
      answer(request.method, request.url?.split('?', 1)[0], reply, parts).catch((error: unknown) => {
        parts.log.error({ err: error }, 'a request of an operator was not answered');
        reply.destroy();
      });
    },
  );
  server.maxConnections = mostConnections;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(port, host, resolve);
  }).catch((cause: unknown) => {
    throw new Error(
      `it can't listen on port ${port} of ${host} for operators: ${messageOf(cause)}. STRONGROOM_PRIVATE_HOST must be an address of this machine, and STRONGROOM_PRIVATE_PORT a port that nobody else has.`,
      { cause },
    );
  });
  const { port: taken } = server.address() as AddressInfo;
  return {
    url: `http://${isIPv6(host) ? `[${host}]` : host}:${taken}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(
  method: string | undefined,
  path: string | undefined,
  reply: ServerResponse,
  { health, metrics }: PrivateServerParts,
): Promise<void> {
  const send = (status: number, type: string, body: string) =>
    reply.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' }).end(body);
  const json = (status: number, body: object) => send(status, 'application/json; charset=utf-8', JSON.stringify(body));
  if (method !== 'GET' && method !== 'HEAD') return void json(405, { message: 'Only GET is allowed here.' });
  if (path === '/health/live') return void json(200, { status: 'alive' });
  if (path === '/health/ready') {
    const readiness = await health.readiness();
    return void json(readiness.status === 'ready' ? 200 : 503, readiness);
  }
  if (path === '/metrics') return void send(200, metrics.registry.contentType, await metrics.text());
  json(404, { message: 'There are /metrics, /health/live and /health/ready here.' });
}
