/** The OpenAPI 3.1 document, made from the schemas that validate. */
import { type FaultType, faultBody, faultCodes } from '@strongroom/contracts';
import { z } from 'zod';
import { type Operation, operations } from './operations.js';

const ofEveryOperation: readonly FaultType[] = ['unauthorized', 'forbidden', 'serviceUnavailable'];
const parameterTexts = {
  limit: 'The most items of a page; more than the maximum is cut to it.',
  marker: 'The id of the last item seen; 0: from the start.',
  instance_id: 'Only those of this instance.',
  datastore: 'Only those of this kind of server.',
  status: 'Only those with this status.',
} as const;

export function openApiDocument() {
  const paths: Record<string, Record<string, object>> = {};
  for (const operation of operations.filter(({ planned }) => !planned)) {
    const path = paths[operation.path] ?? {};
    path[operation.method.toLowerCase()] = documented(operation);
    paths[operation.path] = path;
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
    components: { securitySchemes: { token: { type: 'apiKey', in: 'header', name: 'X-Auth-Token' } } },
    paths,
  };
}

function documented({ method, path, summary, status, request, response, query = [], faults = [], example }: Operation) {
  const guarded = path.includes('{accountId}');
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
  const own: FaultType[] = [
    ...(request || query.length > 0 ? (['badRequest'] as const) : []),
    ...(request ? (['overLimit', 'badMediaType'] as const) : []),
    ...(path.includes('{id}') || request ? (['itemNotFound'] as const) : []),
  ];
  const all = guarded ? [...new Set([...own, ...ofEveryOperation, ...faults])] : [];
  return {
    operationId: `${method.toLowerCase()}${path
      .replace('/v1.0', '')
      .replaceAll(/[{}]/g, '')
      .replaceAll(/\/(\w)/g, (_, letter: string) => letter.toUpperCase())}`,
    summary,
    ...(guarded ? {} : { security: [] }),
    parameters: [...inPath, ...inQuery],
    ...(request && { requestBody: { required: true, content: json(request, 'input', example) } }),
    responses: {
      [status]: {
        description: status === 202 ? 'Accepted: it is on disk.' : 'OK',
        ...(response && { content: json(response, 'output') }),
      },
      ...Object.fromEntries(
        all.map((type) => [faultCodes[type], { description: type, content: json(faultBody, 'output') }]),
      ),
    },
  };
}

function json(schema: z.ZodType, io: 'input' | 'output', example?: unknown) {
  const { $schema: _, ...shape } = z.toJSONSchema(schema, { io, target: 'draft-2020-12', unrepresentable: 'any' });
  return { 'application/json': { schema: shape, ...(example !== undefined && { example }) } };
}
