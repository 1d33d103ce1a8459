/**
 * Ends the connection of a client that does not take its answer: else a client that reads nothing, or a byte now and then, could keep its
 * connection for ever. A stream that has taken its reply over looks after its client itself.
 */
import type { FastifyInstance } from 'fastify';
import type { Logger } from './log.js';

/** @param longestMs how long an answer may take from its first byte to its last, in milliseconds */
export function endSlowReaders(server: FastifyInstance, { longestMs, log }: { longestMs: number; log: Logger }): void {
  server.addHook('onSend', async (request, reply) => {
    const over = setTimeout(() => {
      log.info({ requestId: request.id }, 'a connection is cut off: its client does not take the answer');
      request.raw.socket.destroy();
    }, longestMs).unref();
    reply.raw.once('close', () => clearTimeout(over));
  });
}
