/** The OpenAPI 3.1 document. It is made from the operations and from the schemas by which requests are parsed. */
import * as contract from '@strongroom/contracts';
import {
  type Example,
  faultsOf,
  isOfAccount,
  isTagged,
  type Operation,
  operationGroups,
  takesKey,
} from '@strongroom/contracts';
import { z } from 'zod';

/** The schemas that the document spells once, and refers to. */
const components = {
  Schedule: contract.scheduleResource,
  Run: contract.runResource,
  Backup: contract.backupResource,
  Copy: contract.copyResource,
  Instance: contract.instanceResource,
  Fault: contract.faultBody,
} as const;

const parameterTexts = {
  limit: 'How many items a page has at most. A limit above the maximum is cut to it.',
  marker: 'The id of the last item seen. With 0, the list begins at its start.',
  instance_id: 'The list has only what is of this instance.',
  datastore: 'The list has only what is of this kind of server.',
  status: 'The list has only what has this status.',
  deleted: 'With true, the list has only what was deleted and can be brought back.',
  runs: 'How many runs to come the answer has. Without it there are 14, and there are never more than 100.',
  as_of: 'An instant of RFC 3339. The answer tells what was known then. Without it, it tells what is known now.',
  since:
    'An instant of RFC 3339. What came earlier is passed over, but for a minute at the most. A marker that is not 0 counts instead, and so does Last-Event-ID.',
} as const;

const ofString = { type: 'string' };

const requestHeaders = {
  id: {
    name: 'X-Request-Id',
    in: 'header',
    required: false,
    description:
      'The id of the request, which the answer, the log and every event that follows have. Without it, one is made.',
    schema: { type: 'string', pattern: '^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$' },
  },
  place: {
    name: 'Last-Event-ID',
    in: 'header',
    required: false,
    description: 'The id of the last event seen, after which a stream goes on. With 0, it begins at the start.',
    schema: ofString,
  },
  key: {
    name: 'Idempotency-Key',
    in: 'header',
    required: false,
    description: 'The same request with the same key within 24 hours gets the first answer again, and does nothing.',
    schema: { type: 'string', minLength: 1, maxLength: 255 },
  },
  match: {
    name: 'If-Match',
    in: 'header',
    required: false,
    description: 'The ETag that was read. The answer is a 412 when the resource has changed since.',
    schema: ofString,
  },
};

const answerHeaders = {
  id: { 'X-Request-Id': { description: 'The id of the request.', required: true, schema: ofString } },
  tag: { ETag: { description: 'The version of the resource, for If-Match.', required: true, schema: ofString } },
  replayed: {
    'Idempotent-Replayed': { description: 'It is true when this is the first answer again.', schema: ofString },
  },
  retry: { 'Retry-After': { description: 'After how many seconds to ask again.', schema: { type: 'integer' } } },
};

const streamExample = [
  'retry: 2000\nid: 0\n\n',
  'id: 0c8b1a3e-5d0f-4c5e-9c39-0d4d5f0d9f55\nevent: ScheduleDeleted\n',
  'data: {"id": "0c8b1a3e-5d0f-4c5e-9c39-0d4d5f0d9f55", "type": "ScheduleDeleted", …}\n\n',
].join('');

export function openApiDocument() {
  const paths: Record<string, Record<string, object>> = {};
  for (const { name, operations } of operationGroups) {
    for (const operation of operations) {
      const { path, method } = operation;
      paths[path] = { ...paths[path], [method.toLowerCase()]: { tags: [name], ...documented(operation) } };
    }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Strongroom',
      version: '1.0',
      description: 'Scheduled backups of database servers, each copied to other regions.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    tags: operationGroups.map(({ name, about }) => ({ name, description: about })),
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
  const { path, summary, notes, status, request, response, query = [], examples, changes, streams } = operation;
  const { answer } = operation;
  const ofAccount = isOfAccount(operation);
  const hasKey = takesKey(operation);
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
    operationId: operation.name,
    summary,
    ...(ofAccount
      ? { description: `${notes ? `${notes} ` : ''}${whoMay(operation)}` }
      : { ...(notes && { description: notes }), security: [] }),
    'x-codeSamples': [{ lang: 'JavaScript', label: 'Client of Strongroom', source: callOf(operation) }],
    parameters: [
      ...inPath,
      ...inQuery,
      requestHeaders.id,
      ...(hasKey ? [requestHeaders.key] : []),
      ...(changes ? [requestHeaders.match] : []),
      ...(streams ? [requestHeaders.place] : []),
    ],
    ...(request && {
      requestBody: { required: true, content: json(shapeOf(request, 'input'), examplesOf(examples, 'request')) },
    }),
    responses: {
      [status]: {
        description: status === 202 ? 'The request was accepted, and is on disk.' : 'OK',
        headers: {
          ...answerHeaders.id,
          ...(isTagged(operation) && answerHeaders.tag),
          ...(hasKey && answerHeaders.replayed),
        },
        ...(response && {
          content: {
            ...json(shapeOf(response, 'output'), examplesOf(examples, 'response')),
            ...(streams && {
              'text/event-stream': { schema: ofString, examples: { stream: { value: streamExample } } },
            }),
          },
        }),
      },
      ...(answer && {
        200: {
          description: 'The answer to a request that only asks.',
          headers: { ...answerHeaders.id, ...(hasKey && answerHeaders.replayed) },
          content: json(shapeOf(answer, 'output')),
        },
      }),
      ...Object.fromEntries(
        faultsOf(operation).map((type) => [
          contract.faultCodes[type],
          {
            description: type,
            headers: { ...answerHeaders.id, ...(mayPass.includes(type) && answerHeaders.retry) },
            content: json(ref('Fault')),
          },
        ]),
      ),
    },
  };
}

/** The call of the client in `libs/client` that makes the operation, with the values of its first example. */
function callOf({ name, path, examples }: Operation): string {
  const body = examples?.[0]?.request;
  const parts = [
    ...[...path.matchAll(/\{(\w+)\}/g)].filter(([, part]) => part !== 'accountId').map(([, part]) => `${part}: '…'`),
    ...(body === undefined ? [] : [`body: ${JSON.stringify(body, null, 2)}`]),
  ];
  const asked = parts.length > 0 ? `, { ${parts.join(', ')} }` : '';
  return [
    "import { Client } from '@strongroom/client';",
    `import { ${name} } from '@strongroom/contracts';`,
    '',
    "const client = new Client({ baseUrl: 'http://127.0.0.1:8779', accountId: 'demo', token });",
    `const { status, body } = await client.call(${name}${asked});`,
  ].join('\n');
}

function whoMay({ rights = [] }: Operation): string {
  const roles = Object.entries(contract.builtInRoles).filter(([, has]) =>
    rights.some((right) => has.some((each) => each === right)),
  );
  return `Roles: ${roles.map(([role]) => role).join(', ')}. Right: ${rights.join(' or ')}.`;
}

/** An answer with one of these faults may say when to ask again. It does not for a body that is too large or a full quota. */
const mayPass: readonly contract.FaultType[] = ['serviceUnavailable', 'overLimit'];

function json(schema: object, examples: Record<string, { value: unknown }> = {}) {
  return { 'application/json': { schema, ...(Object.keys(examples).length > 0 && { examples }) } };
}

function examplesOf(examples: readonly Example[] = [], side: 'request' | 'response') {
  return Object.fromEntries(
    examples.filter((each) => each[side] !== undefined).map((each) => [each.name, { value: each[side] }]),
  );
}

function ref(name: keyof typeof components) {
  return { $ref: `#/components/schemas/${name}` };
}

/** @param self the component that is spelled out here, to which there is no reference */
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

/** Leaves out what holds for every number or time. It does not forbid further fields in an answer: a later version may have some. */
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
