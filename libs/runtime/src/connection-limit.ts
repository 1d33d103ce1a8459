/**
 * A cap on the connections of an HTTP server. One beyond it is answered 503 and closed, and far beyond it none is taken at all: neither
 * costs more than a moment, whatever the client does.
 */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Logger } from './log.js';

/** So many connections beyond the limit may be waiting for their refusal to be sent. */
const beingRefused = 100;
const longestRefusalMs = 1_000;
const saidEachMs = 60_000;
const body = JSON.stringify({
  serviceUnavailable: { code: 503, message: 'This process has as many connections as it serves. Try again.' },
});
const refusal = [
  'HTTP/1.1 503 Service Unavailable',
  'Content-Type: application/json; charset=utf-8',
  `Content-Length: ${Buffer.byteLength(body)}`,
  'Retry-After: 5',
  'Connection: close',
  '',
  body,
].join('\r\n');

/** To be called when everything else that listens for connections is there: it sees none that is refused. */
export function limitConnections(server: Server, { most, log }: { most: number; log: Logger }): void {
  let open = 0;
  let saidAt = Number.NEGATIVE_INFINITY;
  server.maxConnections = most + beingRefused;
  const say = () => {
    if (performance.now() - saidAt < saidEachMs) return;
    saidAt = performance.now();
    log.warn({ most }, 'connections are refused: there are as many as STRONGROOM_MAX_CONNECTIONS allows');
  };
  server.on('drop', say);
  const serving = server.listeners('connection');
  server.removeAllListeners('connection');
  server.on('connection', (socket: Socket) => {
    open += 1;
    socket.once('close', () => {
      open -= 1;
    });
    if (open <= most) {
      for (const serve of serving) Reflect.apply(serve, server, [socket]);
      return;
    }
    say();
    const over = setTimeout(() => socket.destroy(), longestRefusalMs);
    socket.once('close', () => clearTimeout(over));
    // What the client sends is read, or its end of the connection might be reset before it has read the answer.
    socket.on('error', () => {}).resume();
    socket.end(refusal);
  });
}
