/**
 * Finds a TCP port of the loopback interface that nobody listens on now. It is below the range of ports for outgoing
 * connections, so that no connection takes it before it is used. It is not one that this process was given lately.
 */
import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

const first = 15_000;
const beyond = 32_000;
const tries = 100;
const given = new Set<number>();

export async function freePort(): Promise<number> {
  for (let tried = 0; tried < tries; tried += 1) {
    const port = randomInt(first, beyond);
    if (given.has(port) || !(await isFree(port))) continue;
    if (given.size > (beyond - first) / 2) given.clear();
    given.add(port);
    return port;
  }
  throw new Error(`of ${tries} ports tried between ${first} and ${beyond}, none was free`);
}

/** Whether a server could listen on this port of the loopback interface now. */
export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
