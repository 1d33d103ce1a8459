/**
 * Ends the connection of a client that does not take its answer: else a client that reads nothing, or a byte now and then, could keep its
 * connection for ever. A stream that has taken its reply over looks after its client itself.
 */
import type { ServerResponse } from 'node:http';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Logger } from './log.js';

/** How many times it is looked within the longest time. A timer for each answer would cost more than its place in a list. */
const looks = 10;

/** @param longestMs how long an answer may take from its first byte to its last, in milliseconds; it is ended a tenth later at most */
export function endSlowReaders(server: FastifyInstance, { longestMs, log }: { longestMs: number; log: Logger }): void {
  /** The oldest is the first. */
  const sending = new Map<ServerResponse, { request: FastifyRequest; since: number }>();
  const look = setInterval(() => {
    const late = performance.now() - longestMs;
    for (const [response, { request, since }] of sending) {
      if (since > late) return;
      sending.delete(response);
      log.info({ requestId: request.id }, 'a connection is cut off: its client does not take the answer');
      request.raw.socket.destroy();
    }
  }, longestMs / looks).unref();
  server.addHook('onClose', async () => clearInterval(look));
  server.addHook('onSend', (request, { raw }, payload, done) => {
    if (!raw.closed) {
      sending.set(raw, { request, since: performance.now() });
      raw.once('close', () => sending.delete(raw));
    }
    done(null, payload);
  });
}
