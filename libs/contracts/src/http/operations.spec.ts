import { describe, expect, it } from '@jest/globals';
import { faultCodes } from './faults.js';
import { allowedOn, isOfAccount, operations, operationsOn, pathOf } from './operations.js';
import { getSchedulesIdRuns } from './schedules.js';
import { getV10 } from './service.js';

describe('the table of operations', () => {
  it('finds what is on a path, and nothing on a path that is not there', () => {
    const methods = (path: string) => operationsOn(path).map(({ method }) => method);
    expect(methods('/v1.0/1234/schedules')).toEqual(['POST', 'GET']);
    expect(methods('/v1.0/1234/schedules/')).toEqual(['POST', 'GET']);
    expect(methods('/v1.0/1234/schedules/x')).toEqual(['GET', 'PUT', 'DELETE']);
    expect(methods('/')).toEqual(['GET']);
    for (const path of [
      '/v1x0',
      '/v1.0/1234',
      '/v1.0//schedules',
      '/v1.0/1234/schedules/x/y',
      '/V1.0/1234/schedules',
    ]) {
      expect(methods(path)).toEqual([]);
    }
  });

  it('tells for every path which methods it has', () => {
    expect(allowedOn('/v1.0/1234/schedules')).toEqual(['POST', 'GET']);
    expect(allowedOn('/v1.0/1234/backups/x')).toEqual(['GET', 'DELETE']);
    expect(allowedOn('/nothing')).toEqual([]);
  });

  it('has every operation and every fault of the contract', () => {
    const names = operations.map(({ method, path }) => `${method} ${path.replace('/v1.0/{accountId}', '…')}`);
    expect(names).toEqual(
      expect.arrayContaining([
        'GET /',
        'GET /v1.0',
        'POST …/schedules',
        'GET …/schedules',
        'GET …/schedules/{id}',
        'PUT …/schedules/{id}',
        'DELETE …/schedules/{id}',
        'GET …/schedules/{id}/runs',
        'POST …/schedules/{id}/preview',
        'POST …/backups',
        'GET …/backups',
        'GET …/backups/{id}',
        'DELETE …/backups/{id}',
        'POST …/backups/{id}/action',
        'GET …/backups/{id}/copies',
        'GET …/restorable',
        'POST …/instances',
        'GET …/instances',
        'GET …/instances/{id}',
        'PATCH …/instances/{id}',
        'PUT …/instances/{id}',
        'DELETE …/instances/{id}',
        'POST …/instances/{id}/action',
        'GET …/instances/{id}/backups',
        'GET …/datastores',
        'GET …/datastores/{id}',
        'GET …/datastores/{id}/versions',
        'GET …/datastores/{id}/versions/{version}',
        'GET …/datastores/versions/{id}',
        'GET …/regions',
        'GET …/limits',
        'GET …/events',
        'GET …/explain/{id}',
        'POST …/webhooks',
        'GET …/webhooks',
        'GET …/webhooks/{id}',
        'PATCH …/webhooks/{id}',
        'DELETE …/webhooks/{id}',
        'POST …/webhooks/{id}/secret',
        'POST …/webhooks/{id}/test',
        'GET …/webhooks/{id}/deliveries',
        'POST …/webhooks/{id}/replay',
      ]),
    );
    expect(faultCodes).toMatchObject({ badRequest: 400, overLimit: 413, instanceFault: 500, serviceUnavailable: 503 });
  });

  it.each(operations)(
    'names $method $path for its method and the words of its path: $name',
    ({ name, method, path }) => {
      const words = path.replace('/v1.0/{accountId}', '').match(/[a-z\d]+/gi) ?? ['versions'];
      const capitalised = words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('');
      expect(name).toBe(method.toLowerCase() + capitalised);
    },
  );

  it('names no two operations alike, and puts no two at one place', () => {
    expect(new Set(operations.map(({ name }) => name)).size).toBe(operations.length);
    expect(new Set(operations.map(({ method, path }) => `${method} ${path}`)).size).toBe(operations.length);
  });

  it('knows which operations belong to an account', () => {
    const others = operations.filter((operation) => !isOfAccount(operation)).map(({ path }) => path);
    expect(others).toEqual([
      '/',
      '/v1.0',
      '/openapi.json',
      '/docs',
      '/docs/reference.js',
      '/health/live',
      '/health/ready',
      '/console',
      '/console/assets/{file}',
      '/console/session',
      '/console/session',
      '/console/session',
    ]);
  });

  it('puts the parameters of a call into its path', () => {
    const path = pathOf(getSchedulesIdRuns, { accountId: '1234', id: 'a/b c' });
    expect(path).toBe('/v1.0/1234/schedules/a%2Fb%20c/runs');
    expect(pathOf(getV10, {})).toBe('/v1.0');
  });

  it.each(['', '.', '..'])('makes no other path of a parameter that is "%s"', (id) => {
    expect(() => pathOf(getSchedulesIdRuns, { accountId: '1234', id })).toThrow('cannot stand for id');
  });
});
