import { describe, expect, it } from '@jest/globals';
import { Controller, Get, RequestMethod, type Type } from '@nestjs/common';
import { getSchedules, type Operation, operations, postSchedules } from '@strongroom/contracts';
import { HealthController } from '@strongroom/runtime';
import { routes } from '../api.module.js';
import { Handles } from './routing.js';

interface Route {
  /** An operation in its written form, such as `GET /v1.0/{accountId}/schedules`. */
  place: string;
  status: unknown;
}

/** The routes of controllers, as Nest reads them from the decorators. */
function routesOf(controllers: readonly Type[]): Route[] {
  return controllers.flatMap((controller) => {
    const prefix: unknown = Reflect.getMetadata('path', controller);
    const handlers = Object.getOwnPropertyNames(controller.prototype)
      .map((name): unknown => Object.getOwnPropertyDescriptor(controller.prototype, name)?.value)
      .filter((handler) => typeof handler === 'function' && Reflect.hasMetadata('method', handler));
    return handlers.map((handler) => {
      const of = (key: string): unknown => Reflect.getMetadata(key, handler as object);
      const path = `/${[prefix, of('path')].join('/')}`.replaceAll(/\/+/g, '/').replace(/(.)\/$/, '$1');
      const place = `${RequestMethod[Number(of('method'))]} ${path.replaceAll(/:(\w+)/g, '{$1}')}`;
      return { place, status: of('__httpCode__') };
    });
  });
}

/** One sentence for each operation that has not exactly one route, and for each route without an operation. */
function mismatches(controllers: readonly Type[], expected: readonly Operation[]): string[] {
  const found = routesOf(controllers).map(({ place }) => place);
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

  it('answer with the status of their operation', () => {
    const statuses = new Map(routesOf(routes).map(({ place, status }) => [place, status]));
    for (const { method, path, status } of operations) {
      const place = `${method} ${path}`;
      if (statuses.has(place)) expect([place, statuses.get(place)]).toEqual([place, status]);
    }
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
