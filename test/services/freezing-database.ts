/**
 * A way to a database for a process that freezes. Once a statement has passed that the pattern matches, nothing more of that
 * connection goes through: the database waits for a process that says nothing and does not close its connection.
 */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';

export interface FreezingDatabase {
  /** The address for the process that freezes. */
  url: string;
  /** Resolves when the statement has passed. */
  frozen: Promise<void>;
  close(): void;
}

export async function freezingDatabase(databaseUrl: string, at: RegExp): Promise<FreezingDatabase> {
  const { hostname, port } = new URL(databaseUrl);
  let freeze = () => {};
  const frozen = new Promise<void>((resolve) => {
    freeze = resolve;
  });
  const proxy = createServer((client) => {
    const server = connect(Number(port), hostname);
    let isFrozen = false;
    client.on('data', (chunk) => {
      if (isFrozen) return;
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
  return { url: url.href, frozen, close: () => void proxy.close() };
}
