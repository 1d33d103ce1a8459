import { once } from 'node:events';
import { createServer } from 'node:http';
import { expect, it } from '@jest/globals';
import { createLogger, RandomIds } from '@strongroom/runtime';
import { httpServer } from './http-server.js';

it('of a body no more than 16 KiB are read before somebody wants it, and no more of an answer waits, on each Node', async () => {
  const log = createLogger({ app: 'spec', level: 'silent' });
  const { http } = httpServer({ log, ids: new RandomIds() });
  const server = createServer(http ?? {}, (request, response) => {
    response.writeHead(200, { connection: 'close' });
    response.end(JSON.stringify([request.readableHighWaterMark, response.writableHighWaterMark]));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  try {
    const port = typeof address === 'object' && address?.port;
    const answer = await fetch(`http://127.0.0.1:${port}`);
    expect(await answer.json()).toEqual([16_384, 16_384]);
  } finally {
    server.close();
  }
});
