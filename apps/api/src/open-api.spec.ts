import { describe, expect, it } from '@jest/globals';
import { faultCodes } from '@strongroom/contracts';
import { z } from 'zod';
import { openApiDocument } from './open-api.js';
import { allowedOn, operations, operationsOn } from './operations.js';

const content = z.object({ 'application/json': z.looseObject({ schema: z.looseObject({}) }) }).optional();
const document = z
  .object({
    openapi: z.literal('3.1.0'),
    components: z.object({ schemas: z.record(z.string(), z.unknown()) }),
    paths: z.record(
      z.string(),
      z.record(
        z.string(),
        z.looseObject({
          operationId: z.string(),
          parameters: z.array(z.object({ name: z.string(), in: z.string(), required: z.boolean() })),
          requestBody: z.object({ required: z.literal(true), content }).optional(),
          responses: z.record(z.string(), z.object({ description: z.string(), content })),
        }),
      ),
    ),
  })
  .parse(JSON.parse(JSON.stringify(openApiDocument())));
const documented = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), ...operation })),
);

describe('the document of the API', () => {
  it('tells of every operation that is there, and of none that is not', () => {
    const served = operations.filter(({ foreign }) => !foreign);
    const names = (each: readonly { method: string; path: string }[]) =>
      each.map(({ method, path }) => `${method} ${path}`).sort();
    expect(names(documented)).toEqual(names(served));
  });

  it('gives each operation a name of its own', () => {
    const names = documented.map(({ operationId }) => operationId);
    expect(new Set(names).size).toBe(names.length);
    expect(names).toEqual(
      expect.arrayContaining(['postSchedules', 'putSchedulesId', 'getSchedulesIdRuns', 'getVersions']),
    );
  });

  it('refers to nothing that is not in it', () => {
    const referred = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map(([, to]) => to);
    expect(referred.length).toBeGreaterThan(0);
    for (const to of new Set(referred)) {
      expect(Object.keys(document.components.schemas).map((name) => `#/components/schemas/${name}`)).toContain(to);
    }
  });

  it('names every part of a path as a parameter', () => {
    for (const { path, parameters } of documented) {
      const inPath = parameters.filter((each) => each.in === 'path').map(({ name }) => `{${name}}`);
      expect(inPath).toEqual(path.match(/\{\w+\}/g) ?? []);
    }
  });

  it('says of every operation of an account how it may fail', () => {
    for (const { path, responses } of documented.filter((each) => each.path.includes('{accountId}'))) {
      expect([path, Object.keys(responses)]).toEqual([path, expect.arrayContaining(['401', '403', '503'])]);
    }
    const creation = document.paths['/v1.0/{accountId}/schedules']?.post?.responses ?? {};
    // Those of the reference page, but for 405, which is of no operation, and 500, which is of all.
    expect(Object.keys(creation)).toEqual(
      expect.arrayContaining(['202', '400', '401', '403', '404', '413', '415', '422', '501', '503']),
    );
    expect(creation['404']?.description).toBe('itemNotFound');
  });

  it('gives examples that its own schemas take', () => {
    const examples = operations.filter(({ example }) => example);
    expect(examples.length).toBeGreaterThanOrEqual(4);
    for (const { request, response, example } of examples) {
      expect(request?.safeParse(example?.request).error).toBeUndefined();
      if (example?.response !== undefined) expect(response?.safeParse(example.response).error).toBeUndefined();
    }
  });
});

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
        'POST …/backups',
        'GET …/backups',
        'GET …/backups/{id}',
        'DELETE …/backups/{id}',
        'POST …/backups/{id}/action',
        'GET …/backups/{id}/copies',
        'POST …/instances',
        'GET …/instances',
        'GET …/instances/{id}',
        'DELETE …/instances/{id}',
        'GET …/instances/{id}/backups',
        'GET …/regions',
        'GET …/events',
      ]),
    );
    expect(faultCodes).toMatchObject({ badRequest: 400, overLimit: 413, instanceFault: 500, serviceUnavailable: 503 });
  });
});
