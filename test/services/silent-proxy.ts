/**
 * A proxy that can fall silent, as a host that has vanished: it refuses and resets nothing, and gives no answer. Connections
 * of that time stay dead when the proxy is open again.
 */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

export class SilentProxy {
  private readonly sockets = new Set<Socket>();
  private isSilent = false;

  private constructor(
    private readonly server: Server,
    /** The server's URL through the proxy. */
    readonly url: string,
  ) {}

  static async before(serverUrl: string): Promise<SilentProxy> {
    const to = new URL(serverUrl);
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('the proxy has no port');
    const url = new URL(serverUrl);
    url.host = `127.0.0.1:${address.port}`;
    const proxy = new SilentProxy(server, url.href);
    server.on('connection', (near) => proxy.join(near, Number(to.port), to.hostname));
    return proxy;
  }

  silence(): void {
    this.isSilent = true;
    for (const socket of this.sockets) socket.removeAllListeners('data').resume();
  }

  speak(): void {
    this.isSilent = false;
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
    await once(this.server, 'close');
  }

  private join(near: Socket, port: number, host: string): void {
    const ends = this.isSilent ? [near] : [near, connect(port, host)];
    for (const socket of ends) {
      this.sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => this.sockets.delete(socket));
      socket.resume();
    }
    const [, far] = ends;
    if (!far) return;
    near.on('data', (bytes) => far.write(bytes)).on('close', () => far.destroy());
    far.on('data', (bytes) => near.write(bytes)).on('close', () => near.destroy());
  }
}
