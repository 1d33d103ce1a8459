import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

/** A service as the check of its container sees it. */
async function answering(status: number): Promise<{ server: Server; port: number }> {
  const server = createServer(({ url }, answer) => answer.writeHead(url === '/health/ready' ? status : 404).end());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, port: (server.address() as AddressInfo).port };
}

describe('the check of a container', () => {
  let well: Awaited<ReturnType<typeof answering>>;
  let ill: Awaited<ReturnType<typeof answering>>;
  beforeAll(async () => {
    well = await answering(200);
    ill = await answering(503);
  });
  afterAll(() => {
    for (const { server } of [well, ill]) server.close();
  });

  async function check(env: NodeJS.ProcessEnv): Promise<unknown> {
    const [code] = await once(
      spawn(process.execPath, [join(__dirname, '..', 'docker', 'healthy.mjs')], { env }),
      'exit',
    );
    return code;
  }

  it('asks at the port of clients, and at that of operators where clients come by HTTPS', async () => {
    const http = (port: number) => ({ STRONGROOM_HTTP_PORT: String(port) });
    const operators = (port: number) => ({ STRONGROOM_PRIVATE_PORT: String(port) });
    expect(await check(http(well.port))).toBe(0);
    expect(await check(http(ill.port))).toBe(1);
    expect(await check(http(1))).toBe(1);
    const tls = { STRONGROOM_TLS_CERT_FILE: '/run/secrets/cert' };
    expect(await check({ ...http(ill.port), ...operators(well.port), ...tls })).toBe(0);
    expect(await check({ ...http(well.port), ...operators(ill.port), ...tls })).toBe(1);
    expect(await check({ ...http(well.port - 10), ...tls })).toBe(0);
  });
});
