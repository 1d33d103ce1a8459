import { describe, expect, it } from '@jest/globals';
import { Controller, Get, type Type } from '@nestjs/common';
import { getSchedules, type Operation, operations, postSchedules } from '@strongroom/contracts';
import { HealthController } from '@strongroom/runtime';
import { routesOf } from '../../fixtures/routes.js';
import { routes } from '../api.module.js';
import { Handles } from './routing.js';

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
