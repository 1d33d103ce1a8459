import { once } from 'node:events';
import { createServer } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { freePort } from './free-port.js';
import { listenersOn } from './guest-processes.js';

describe('who listens on a port', () => {
  it.each(['127.0.0.1', '0.0.0.0', '::'])('is the user of the process, at %s too', async (host) => {
    const port = await freePort();
    if (listenersOn(port) === undefined) return;
    expect(listenersOn(port)).toEqual([]);
    const server = createServer().listen(port, host);
    await Promise.race([once(server, 'listening'), once(server, 'error')]);
    // A machine without version 6 has no such address.
    const expected = server.listening ? [process.getuid?.()] : [];
    const found = listenersOn(port);
    server.close();
    expect(found).toEqual(expected);
  });
});
