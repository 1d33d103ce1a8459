/**
 * Ends a connection on which far more requests were sent ahead than any client sends: each would cost memory for as long as the client
 * reads none of the answers.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Logger } from './log.js';

/** To be called when whatever answers requests is there: it sees no request beyond the limit. */
export function limitPipelining(server: Server, { most, log }: { most: number; log: Logger }): void {
  const inHand = new WeakMap<Socket, number>();
  const serving = server.listeners('request');
  server.removeAllListeners('request');
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const { socket } = request;
    const count = (inHand.get(socket) ?? 0) + 1;
    if (socket.destroyed) return;
    if (count > most) {
      log.info({ most }, 'a connection is cut off: its client sends too many requests ahead');
      socket.destroy();
      return;
    }
    inHand.set(socket, count);
    response.once('close', () => inHand.set(socket, (inHand.get(socket) ?? 1) - 1));
    for (const serve of serving) Reflect.apply(serve, server, [request, response]);
  });
}
