/**
 * The connections of an HTTP server that have had no request yet. When the server closes, Node ends the idle connections that
 * have had a request, but waits for the others until their time for headers is over. A client that connects before it needs
 * to would hold up the end of the process.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

export class SilentConnections {
  private readonly sockets = new Set<Socket>();
  private ending = false;

  constructor(server: Server) {
    const begun = (socket: Socket) => {
      if (this.ending) socket.destroy();
      else this.hold(socket);
    };
    server.on('connection', begun);
    // With TLS, requests come over another socket, which is there when the handshake is done.
    server.on('secureConnection', (secured: Socket) => {
      for (const socket of this.sockets) if (isUnder(secured, socket)) this.sockets.delete(socket);
      begun(secured);
    });
    server.on('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
      this.sockets.delete(socket);
      response.once('close', () => {
        if (!socket.destroyed) this.sockets.add(socket);
      });
    });
  }

  /** Ends these connections, and those that come from now on. */
  end(): void {
    this.ending = true;
    for (const socket of this.sockets) socket.destroy();
  }

  private hold(socket: Socket): void {
    this.sockets.add(socket);
    socket.once('close', () => this.sockets.delete(socket));
  }
}

function isUnder(secured: Socket, { remotePort, remoteAddress }: Socket): boolean {
  return secured.remotePort === remotePort && secured.remoteAddress === remoteAddress;
}
