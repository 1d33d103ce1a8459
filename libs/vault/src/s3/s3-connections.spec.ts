import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { s3StoreAt } from '../../fixtures/s3-store-at.js';

const { signal } = new AbortController();
const bytes = 10_000_000;

let folder: string;
let server: Server;
let origin: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'strongroom-connections-'));
  await writeFile(join(folder, 's3.json'), JSON.stringify({ accessKeyId: 'id', secretAccessKey: 'secret' }), {
    mode: 0o600,
  });
  // A body begins, and nothing more of it comes.
  server = createServer(({ method }, answer) => {
    const facts = { etag: '"tag"', 'last-modified': 'Sat, 14 Nov 2026 14:30:00 GMT', 'content-length': bytes };
    answer.writeHead(200, facts);
    if (method === 'HEAD') answer.end();
    else answer.write('begun');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  origin = `http://127.0.0.1:${address.port}`;
});
afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await rm(folder, { recursive: true, force: true });
});

it('a store answers though the bodies of many copies wait for regions that take nothing', async () => {
  const more = `endpoint=${origin}&region=us-east-1&credentials=${join(folder, 's3.json')}`;
  const store = s3StoreAt(new URL(`s3://strongroom/a/?${more}`));
  // As many as 64 copies at a time to each of two regions hold.
  const held = await Promise.all(Array.from({ length: 128 }, (_, each) => store.get(`piece-${each}`, signal)));
  expect(held).toHaveLength(128);
  expect(await store.head('another', signal)).toMatchObject({ bytes });
}, 20_000);
