/** Listens on a port of this machine in place of a server, as a proxy before it does. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';

/** @returns the listener, the URL of the server through it, and the server's own URL */
export async function listenBefore(serverUrl: string): Promise<{ server: Server; url: string; to: URL }> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the proxy has no port');
  const url = new URL(serverUrl);
  url.host = `127.0.0.1:${address.port}`;
  return { server, url: url.href, to: new URL(serverUrl) };
}
