/**
 * The connections of an HTTP server that no request is on. Node closes those that have had one when the server is to
 * close, and waits for one that has had none until the time for its headers is over: a client that connects ahead of its
 * requests would hold up the end of the process.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

export class SilentConnections {
  private readonly sockets = new Set<Socket>();
  private ending = false;

  constructor(server: Server) {
    server.on('connection', (socket: Socket) => {
      if (this.ending) socket.destroy();
      else this.hold(socket);
    });
    server.on('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
      this.sockets.delete(socket);
      response.once('close', () => {
        if (!socket.destroyed) this.sockets.add(socket);
      });
    });
  }

  /** Ends them, and those that come from now on. */
  end(): void {
    this.ending = true;
    for (const socket of this.sockets) socket.destroy();
  }

  private hold(socket: Socket): void {
    this.sockets.add(socket);
    socket.once('close', () => this.sockets.delete(socket));
  }
}
