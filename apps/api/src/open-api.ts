/** The OpenAPI 3.1 document, made from the schemas that validate. */
import * as contract from '@strongroom/contracts';
import { mayDo } from '@strongroom/identity';
import { z } from 'zod';
import { faultsOf, idOf, isOfAccount, type Operation, operations } from './operations.js';

/** What the document names once and refers to. */
const components = {
  Schedule: contract.scheduleResource,
  Run: contract.runResource,
  Backup: contract.backupResource,
  Copy: contract.copyResource,
  Instance: contract.instanceResource,
  Fault: contract.faultBody,
} as const;

const parameterTexts = {
  limit: 'The most items of a page; more than the maximum is cut to it.',
  marker: 'The id of the last item seen; 0: from the start.',
  instance_id: 'Only those of this instance.',
  datastore: 'Only those of this kind of server.',
  status: 'Only those with this status.',
} as const;

const headers = {
  key: {
    name: 'Idempotency-Key',
    in: 'header',
    required: false,
    description: 'The same key with the same request within 24 hours gets the first answer again, and does nothing.',
    schema: { type: 'string', minLength: 1, maxLength: 255 },
  },
  match: {
    name: 'If-Match',
    in: 'header',
    required: false,
    description: 'The ETag that was read: 412 when the resource has changed since.',
    schema: { type: 'string' },
  },
};

export function openApiDocument() {
  const paths: Record<string, Record<string, object>> = {};
  for (const operation of operations.filter(({ foreign }) => !foreign)) {
    paths[operation.path] = { ...paths[operation.path], [operation.method.toLowerCase()]: documented(operation) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Strongroom',
      version: '1.0',
      description: 'Scheduled backups of database servers, every one copied to other regions.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    security: [{ token: [] }],
    components: {
      securitySchemes: { token: { type: 'apiKey', in: 'header', name: 'X-Auth-Token' } },
      schemas: Object.fromEntries(
        Object.entries(components).map(([name, schema]) => [name, shapeOf(schema, 'output', name)]),
      ),
    },
    paths,
  };
}

function documented(operation: Operation) {
  const { method, path, summary, notes, status, request, response, query = [], example, changes } = operation;
  const ofAccount = isOfAccount(operation);
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));
  const inQuery = query.map((name) => ({
    name,
    in: 'query',
    required: false,
    description: parameterTexts[name],
    schema: { type: 'string' },
  }));
  return {
    operationId: idOf(operation),
    summary,
    ...(ofAccount
      ? { description: `${notes ? `${notes} ` : ''}Roles: ${rolesFor(method).join(', ')}.` }
      : { security: [] }),
    parameters: [
      ...inPath,
      ...inQuery,
      ...(ofAccount && method !== 'GET' ? [headers.key] : []),
      ...(changes ? [headers.match] : []),
    ],
    ...(request && { requestBody: { required: true, content: json(shapeOf(request, 'input'), example?.request) } }),
    responses: {
      [status]: {
        description: status === 202 ? 'Accepted: it is on disk.' : 'OK',
        ...(response && { content: json(shapeOf(response, 'output'), example?.response) }),
      },
      ...Object.fromEntries(
        faultsOf(operation).map((type) => [
          contract.faultCodes[type],
          { description: type, content: json(ref('Fault')) },
        ]),
      ),
    },
  };
}

function rolesFor(method: Operation['method']): string[] {
  return ['admin', 'creator', 'observer'].filter((role) => mayDo({ name: role, accountId: '', roles: [role] }, method));
}

function json(schema: object, example?: unknown) {
  return { 'application/json': { schema, ...(example !== undefined && { example }) } };
}

function ref(name: keyof typeof components) {
  return { $ref: `#/components/schemas/${name}` };
}

/** @param self the component that is being spelled out and not referred to */
function shapeOf(schema: z.ZodType, io: 'input' | 'output', self?: string): object {
  const { $schema: _, ...shape } = z.toJSONSchema(schema, {
    io,
    target: 'draft-2020-12',
    unrepresentable: 'any',
    override: ({ zodSchema, jsonSchema }) => {
      const name = nameOf(zodSchema);
      if (name === undefined || name === self) return readable(jsonSchema, io);
      for (const key of Object.keys(jsonSchema)) delete jsonSchema[key];
      Object.assign(jsonSchema, ref(name));
    },
  });
  return shape;
}

/** Leaves out what is true of every number or time, and that an answer has no further fields: later ones may have. */
function readable(shape: z.core.JSONSchema.BaseSchema, io: 'input' | 'output'): void {
  if (shape.minimum === Number.MIN_SAFE_INTEGER) delete shape.minimum;
  if (shape.maximum === Number.MAX_SAFE_INTEGER) delete shape.maximum;
  if (shape.format === 'date-time') delete shape.pattern;
  if (io === 'output' && shape.additionalProperties === false) delete shape.additionalProperties;
}

function nameOf(schema: object): keyof typeof components | undefined {
  const names = Object.keys(components) as (keyof typeof components)[];
  return names.find((name) => components[name] === schema);
}
