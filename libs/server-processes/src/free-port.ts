/**
 * Finds a TCP port of the loopback interface that nobody listens on now. It is below the range of outgoing connections, so that
 * none of those takes it before it is used. This process is not given the same port twice in a row.
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

/** Whether a server could listen on the port of the loopback interface now. */
export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
