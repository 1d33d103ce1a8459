import { describe, expect, it } from '@jest/globals';
import { operations, postInstances, postSchedules } from '@strongroom/contracts';
import { z } from 'zod';
import { openApiDocument } from './open-api.js';

const content = z
  .looseObject({
    'application/json': z.looseObject({
      schema: z.looseObject({}),
      examples: z.record(z.string(), z.object({ value: z.unknown() })).optional(),
    }),
  })
  .optional();
const headers = z.record(z.string(), z.looseObject({ description: z.string() })).optional();
const document = z
  .object({
    openapi: z.literal('3.1.0'),
    tags: z.array(z.object({ name: z.string(), description: z.string() })),
    components: z.object({ schemas: z.record(z.string(), z.unknown()) }),
    paths: z.record(
      z.string(),
      z.record(
        z.string(),
        z.looseObject({
          operationId: z.string(),
          tags: z.array(z.string()),
          'x-codeSamples': z.array(z.object({ lang: z.string(), label: z.string(), source: z.string() })),
          parameters: z.array(z.object({ name: z.string(), in: z.string(), required: z.boolean() })),
          requestBody: z.object({ required: z.literal(true), content }).optional(),
          responses: z.record(z.string(), z.object({ description: z.string(), content, headers })),
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
    const names = (each: readonly { method: string; path: string }[]) =>
      each.map(({ method, path }) => `${method} ${path}`).sort();
    expect(names(documented)).toEqual(names(operations));
  });

  it('has each operation in the one group that it is of, beside a call of the client that makes it', () => {
    const names = document.tags.map(({ name }) => name);
    expect(names[0]).toBe('Schedules');
    for (const { operationId, tags, 'x-codeSamples': samples } of documented) {
      expect([operationId, tags.filter((tag) => names.includes(tag)).length]).toEqual([operationId, 1]);
      expect(samples[0]?.source).toContain(`client.call(${operationId}`);
    }
    const [creation] = document.paths[postSchedules.path]?.post?.['x-codeSamples'] ?? [];
    expect(creation?.source).toContain('"copy_to": [');
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
    const creation = document.paths[postSchedules.path]?.post?.responses ?? {};
    // The statuses of the reference page, without 405, which no operation ends in, and 500, which every operation can
    // end in.
    expect(Object.keys(creation)).toEqual(
      expect.arrayContaining(['202', '400', '401', '403', '404', '413', '415', '422', '501', '503']),
    );
    expect(creation['404']?.description).toBe('itemNotFound');
  });

  it('has both forms of a new instance: registered, and built from a backup', () => {
    const content = document.paths[postInstances.path]?.post?.requestBody?.content?.['application/json'];
    const forms = z.object({ anyOf: z.array(z.unknown()) }).parse(content?.schema).anyOf;
    expect(forms.map((form) => /"(connection|restorePoint)":{"type":"object"/.exec(JSON.stringify(form))?.[1])).toEqual(
      ['connection', 'restorePoint'],
    );
    expect(content?.examples).toMatchObject({
      register: { value: { instance: { connection: { port: 5432 } } } },
      restore: { value: { instance: { restorePoint: {} } } },
    });
  });

  it('tells of every header that is taken, and of those that are answered', () => {
    const headersOf = (id: string) => {
      const operation = documented.find(({ operationId }) => operationId === id);
      const taken = operation?.parameters.filter((each) => each.in === 'header').map(({ name }) => name);
      const answered = Object.entries(operation?.responses ?? {}).flatMap(([status, { headers = {} }]) =>
        Object.keys(headers).flatMap((name) => (name === 'X-Request-Id' ? [] : [`${status} ${name}`])),
      );
      for (const { headers } of Object.values(operation?.responses ?? {}))
        expect(headers).toHaveProperty('X-Request-Id');
      return { taken, answered };
    };
    const retry = ['413 Retry-After', '503 Retry-After'];
    expect(headersOf('getSchedulesId')).toEqual({ taken: ['X-Request-Id'], answered: ['200 ETag', ...retry] });
    expect(headersOf('postBackups')).toEqual({
      taken: ['X-Request-Id', 'Idempotency-Key'],
      answered: ['202 Idempotent-Replayed', ...retry],
    });
    expect(headersOf('putSchedulesId').taken).toEqual(['X-Request-Id', 'Idempotency-Key', 'If-Match']);
    expect(headersOf('getEvents').taken).toEqual(['X-Request-Id', 'Last-Event-ID']);
    const { responses } = documented.find(({ operationId }) => operationId === 'getEvents') ?? {};
    expect(Object.keys(responses?.['200']?.content ?? {})).toEqual(['application/json', 'text/event-stream']);
  });

  it('gives examples that its own schemas take', () => {
    const examples = operations.flatMap((operation) =>
      (operation.examples ?? []).map((example) => ({ ...operation, example })),
    );
    expect(examples.map(({ example }) => example.name)).toEqual([
      'schedule',
      'change',
      'preview',
      'backup',
      'copy',
      'restore',
      'hold',
      'lift',
      'approve',
      'tested',
      'test-failed',
      'register',
      'restore',
      'rename',
      'rotate',
      'rename',
      'accept',
      'test',
      'webhook',
      'enable',
      'replay',
    ]);
    for (const { request, response, example } of examples) {
      expect(request?.safeParse(example.request).error).toBeUndefined();
      if (example.response !== undefined) expect(response?.safeParse(example.response).error).toBeUndefined();
    }
  });
});
