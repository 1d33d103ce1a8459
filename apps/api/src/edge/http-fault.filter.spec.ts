import { describe, expect, it } from '@jest/globals';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import { createLogger } from '@strongroom/runtime';
import { fastify } from 'fastify';
import { HttpFaultFilter } from './http-fault.filter.js';

/** How a request is answered whose route throws the error, and what is logged. */
async function thrown(error: Error) {
  const lines: string[] = [];
  const log = createLogger({ app: 'api', level: 'info', to: { write: (line) => lines.push(line) } });
  const server = fastify();
  server.setErrorHandler((each, request, reply) =>
    new HttpFaultFilter(log).catch(each, new ExecutionContextHost([request, reply])),
  );
  server.post('/', () => {
    throw error;
  });
  const { statusCode } = await server.inject({ method: 'POST', url: '/' });
  await server.close();
  return { statusCode, lines };
}

describe('an error on the way of a request', () => {
  it('is no failure of the database where a client breaks off within its body', async () => {
    const aborted = Object.assign(new Error('aborted'), { code: 'ECONNRESET', statusCode: 400 });
    expect(await thrown(aborted)).toEqual({ statusCode: 400, lines: [] });
  });

  it('is one of the database where its connection is lost, and is logged', async () => {
    const reset = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
    expect(await thrown(reset)).toEqual({ statusCode: 503, lines: [expect.stringContaining('answered 503')] });
  });
});
