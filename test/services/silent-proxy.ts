/**
 * A proxy that can fall silent, as a host that has vanished: it refuses and resets nothing, and gives no answer. Connections
 * of that time stay dead when the proxy is open again.
 */
import { once } from 'node:events';
import { connect, type Server, type Socket } from 'node:net';
import { listenBefore } from './listen-before.js';

export class SilentProxy {
  private readonly sockets = new Set<Socket>();
  private isSilent = false;

  private constructor(
    private readonly server: Server,
    /** The server's URL through the proxy. */
    readonly url: string,
  ) {}

  static async before(serverUrl: string): Promise<SilentProxy> {
    const { server, url, to } = await listenBefore(serverUrl);
    const proxy = new SilentProxy(server, url);
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
