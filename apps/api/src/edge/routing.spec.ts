import { afterEach, describe, expect, it } from '@jest/globals';
import { Controller, Get, type Type } from '@nestjs/common';
import { getSchedules, getSchedulesId, type Operation, operations, pathOf, postSchedules } from '@strongroom/contracts';
import { HealthController } from '@strongroom/runtime';
import fastify, { type FastifyInstance } from 'fastify';
import { routesOf } from '../../fixtures/routes.js';
import { routes } from '../api.module.js';
import type { Asked } from './asked.js';
import { Handles, operationOf, serveOperations } from './routing.js';

/** One sentence for each operation that has not exactly one route, and for each route without an operation. */
function mismatches(controllers: readonly Type[], expected: readonly Operation[]): string[] {
  const found = routesOf(controllers);
  const placeOf = ({ method, path }: Operation) => `${method} ${path}`;
  return [
    ...expected
      .map((operation) => ({
        place: placeOf(operation),
        count: found.filter((place) => place === placeOf(operation)).length,
      }))
      .filter(({ count }) => count !== 1)
      .map(({ place, count }) => `${place} has ${count} routes`),
    ...found
      .filter((place) => !expected.some((operation) => placeOf(operation) === place))
      .map((place) => `${place} is no operation`),
  ];
}

describe('the routes of the gateway', () => {
  it('are the operations of the contract: each operation has one route, and each route is of an operation', () => {
    expect(mismatches([...routes, HealthController], operations)).toEqual([]);
  });

  it('are told apart from the operations when one is missing, is there twice, or is spelled by hand', () => {
    @Controller()
    class Wrong {
      @Handles(getSchedules)
      first() {}

      @Handles(getSchedules)
      second() {}

      @Get('v1.0/:accountId/schedules/:id/lost')
      lost() {}
    }
    expect(mismatches([Wrong], [getSchedules, postSchedules])).toEqual([
      'GET /v1.0/{accountId}/schedules has 2 routes',
      'POST /v1.0/{accountId}/schedules has 0 routes',
      'GET /v1.0/{accountId}/schedules/{id}/lost is no operation',
    ]);
  });
});

describe('a method that answers an operation', () => {
  let server: FastifyInstance | undefined;
  afterEach(() => server?.close());

  class Some {
    private readonly name = 'some';

    @Handles(postSchedules)
    async make({ body }: Asked) {
      return { made: body, by: this.name };
    }

    @Handles(getSchedules)
    list({ reply }: Asked) {
      void reply.header('x-of', this.name);
    }

    @Handles(getSchedulesId)
    show({ id }: Asked): never {
      throw new RangeError(`no ${id}`);
    }
  }

  const asked = { accountId: '1234', id: 'x' };
  const answers: string[] = [];
  function serve(): FastifyInstance {
    server = fastify();
    serveOperations(
      server,
      () => new Some(),
      [Some],
      (call, operation, work) => {
        answers.push(`${operation.name} ${operationOf(call.request)?.name}`);
        return work();
      },
    );
    return server;
  }

  it('answers with the status of its operation, and with what it gives', async () => {
    const url = pathOf(postSchedules, asked);
    const { statusCode, body } = await serve().inject({ method: 'POST', url, payload: { a: 1 } });
    expect([statusCode, JSON.parse(body)]).toEqual([postSchedules.status, { made: { a: 1 }, by: 'some' }]);
    expect(answers.at(-1)).toBe(`${postSchedules.name} ${postSchedules.name}`);
  });

  it('may give nothing, and answers a HEAD as well', async () => {
    for (const method of ['GET', 'HEAD'] as const) {
      const { statusCode, body, headers } = await serve().inject({ method, url: pathOf(getSchedules, asked) });
      expect([statusCode, body, headers['x-of']]).toEqual([getSchedules.status, '', 'some']);
      expect(answers.at(-1)).toBe(`${getSchedules.name} ${getSchedules.name}`);
    }
  });

  it('is not there below an empty part of the path, and what it throws goes to the error handler', async () => {
    const statusOf = async (url: string) => (await serve().inject({ method: 'GET', url })).statusCode;
    expect(await statusOf(pathOf(getSchedulesId, asked).replace('/1234/', '//'))).toBe(404);
    expect(await statusOf(pathOf(getSchedulesId, asked))).toBe(500);
  });
});
