/**
 * A proxy before a PostgreSQL server that can lose, cut or add to what is sent: for what a network or a server does on a bad day.
 * A test says what becomes of each piece that the server or a client sends.
 */
import { once } from 'node:events';
import { connect, type Server, type Socket } from 'node:net';
import { listenBefore } from './listen-before.js';

/** One connection of a client through the proxy. */
export interface Link {
  /** All that the client has sent since the server's last piece, as text. */
  asked: string;
  /** How many pieces the server has sent, this one included. */
  answers: number;
  /** So many bytes of the server's piece come before the last place between two messages; undefined when it has no such place. */
  whole: number | undefined;
  /** Gives the client a piece that was kept from it before. */
  give(bytes: Buffer): void;
  /** Ends the client's side at once. The server still gets what was sent, and finds nobody when it answers. */
  leave(): void;
  /** Ends the connection at both sides. With some bytes, the client gets these first. */
  cut(first?: Buffer): void;
  /**
   * Ends the connection as a server ends a session, in a piece that the server has sent: it says so behind the last whole message.
   * Where the piece has no such place, it ends without a word.
   */
  end(bytes: Buffer): void;
}

/** Gives what is passed on of the piece; undefined passes on nothing. */
type Passing = (bytes: Buffer, link: Link) => Buffer | undefined;

const unchanged: Passing = (bytes) => bytes;

export class WireProxy {
  /** What becomes of what the server sends. */
  toClient: Passing = unchanged;
  /** What becomes of what the client sends. */
  toServer: Passing = unchanged;
  private readonly sockets = new Set<Socket>();

  private constructor(
    private readonly server: Server,
    /** The server's URL through the proxy. */
    readonly url: string,
  ) {}

  static async before(serverUrl: string): Promise<WireProxy> {
    const { server, url, to } = await listenBefore(serverUrl);
    const proxy = new WireProxy(server, url);
    server.on('connection', (near) => proxy.join(near, connect(Number(to.port), to.hostname)));
    return proxy;
  }

  /** From now on everything passes. */
  calm(): void {
    this.toClient = unchanged;
    this.toServer = unchanged;
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
    await once(this.server, 'close');
  }

  private join(near: Socket, far: Socket): void {
    const ends = new MessageEnds();
    const link: Link = {
      asked: '',
      answers: 0,
      whole: undefined,
      give: (bytes) => pass(bytes, near),
      leave: () => {
        near.removeAllListeners('close').destroy();
        far.removeAllListeners('data').resume().end();
      },
      cut: (first) => {
        far.destroy();
        if (first && !near.destroyed) near.end(first);
        else near.destroy();
      },
      end: (bytes) => {
        const { whole } = link;
        link.cut(whole === undefined ? undefined : Buffer.concat([bytes.subarray(0, whole), endOfSession()]));
      },
    };
    for (const socket of [near, far]) {
      this.sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', () => {});
      socket.on('close', () => {
        this.sockets.delete(socket);
        near.destroy();
        far.destroy();
      });
    }
    near.on('data', (bytes: Buffer) => {
      link.asked += bytes.toString('latin1');
      pass(this.toServer(bytes, link), far);
    });
    far.on('data', (bytes: Buffer) => {
      link.answers += 1;
      link.whole = ends.after(bytes);
      pass(this.toClient(bytes, link), near);
      link.asked = '';
    });
  }
}

/** Where the messages of a server end. Each has a byte for its kind and four bytes for its length, which count themselves. */
class MessageEnds {
  private head = Buffer.alloc(0);
  private left = 0;

  /** How many bytes of the next piece come before the last place between two messages; undefined when it has none. */
  after(bytes: Buffer): number | undefined {
    let whole = this.left === 0 && this.head.length === 0 ? 0 : undefined;
    for (let at = 0; at < bytes.length; ) {
      if (this.left === 0) {
        const part = bytes.subarray(at, at + 5 - this.head.length);
        this.head = Buffer.concat([this.head, part]);
        at += part.length;
        if (this.head.length < 5) break;
        this.left = this.head.readInt32BE(1) - 4;
        this.head = Buffer.alloc(0);
      } else {
        const step = Math.min(this.left, bytes.length - at);
        at += step;
        this.left -= step;
      }
      if (this.left === 0) whole = at;
    }
    return whole;
  }
}

function pass(bytes: Buffer | undefined, to: Socket): void {
  if (bytes && !to.destroyed && to.writable) to.write(bytes);
}

/** The message by which a server that is stopped ends a session: 57P01. */
function endOfSession(): Buffer {
  const fields = ['SFATAL', 'VFATAL', 'C57P01', 'Mterminating connection due to administrator command']
    .map((field) => `${field}\0`)
    .join('');
  const body = Buffer.from(`${fields}\0`);
  const head = Buffer.alloc(5);
  head.write('E');
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}
