/**
 * A way to a database for a process that freezes. Once a statement has passed that the pattern matches, nothing more of that
 * connection goes through: the database waits for a process that says nothing and does not close its connection. What the process
 * does on its other connections at the same moment goes through up to such a statement. A moment later a connection that would send
 * something ends.
 */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { patienceNow } from './patience.js';

export interface FreezingDatabase {
  /** The address for the process that freezes. */
  url: string;
  /** Resolves when the statement has passed. */
  frozen: Promise<void>;
  /** Ends every connection of the process. */
  close(): void;
}

const momentMs = 200;

export async function freezingDatabase(databaseUrl: string, at: RegExp): Promise<FreezingDatabase> {
  const { hostname, port } = new URL(databaseUrl);
  let isOver = false;
  let freeze = () => {};
  const frozen = new Promise<void>((resolve) => {
    freeze = resolve;
  }).then(() => {
    setTimeout(() => {
      isOver = true;
    }, momentMs * patienceNow());
  });
  const sockets: Socket[] = [];
  const proxy = createServer((client) => {
    const server = connect(Number(port), hostname);
    sockets.push(client, server);
    let isFrozen = false;
    client.on('data', (chunk) => {
      if (isFrozen) return;
      if (isOver) {
        client.destroy();
        return;
      }
      server.write(chunk);
      isFrozen = at.test(chunk.toString('latin1'));
      if (isFrozen) freeze();
    });
    server.on('data', (chunk) => client.write(chunk));
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      one.on('error', () => {});
      one.on('close', () => other.destroy());
    }
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  const url = new URL(databaseUrl);
  url.hostname = '127.0.0.1';
  url.port = String((proxy.address() as AddressInfo).port);
  const close = () => {
    proxy.close();
    for (const socket of sockets) socket.destroy();
  };
  return { url: url.href, frozen, close };
}
