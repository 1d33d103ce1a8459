/**
 * Every operation of the API, and what follows from an operation: its paths, its methods, its faults. The routes, the
 * `Allow` header, the OpenAPI document, the rate limits and the client are made from this list.
 */
import { auditOperations } from './audit.js';
import { backupOperations } from './backups.js';
import { datastoreOperations } from './datastores.js';
import { eventOperations } from './events.js';
import { explanationOperations } from './explanations.js';
import type { FaultType } from './faults.js';
import { instanceOperations } from './instances.js';
import { accountPath, type Operation } from './operation.js';
import { scheduleOperations } from './schedules.js';
import { serviceOperations } from './service.js';

export const operations: readonly Operation[] = [
  ...serviceOperations,
  ...scheduleOperations,
  ...backupOperations,
  ...instanceOperations,
  ...datastoreOperations,
  ...eventOperations,
  ...auditOperations,
  ...explanationOperations,
];

const patterns = operations.map((operation) => ({
  operation,
  pattern: new RegExp(
    `^${operation.path
      .replace(/\/$/, '')
      .replaceAll('.', '\\.')
      .replaceAll(/\{\w+\}/g, '[^/]+')}/?$`,
  ),
}));

/** The operations on a path; none when the API has no such path. */
export function operationsOn(path: string): Operation[] {
  return patterns.filter(({ pattern }) => pattern.test(path)).map(({ operation }) => operation);
}

/** The methods on a path, as an `Allow` header lists them. */
export function allowedOn(path: string): string[] {
  return operationsOn(path).map(({ method }) => method);
}

/** The names in braces of a path: `accountId` and `id` of `/v1.0/{accountId}/schedules/{id}`. */
export type PathParameter<Path extends string> = Path extends `${string}{${infer Name}}${infer Rest}`
  ? Name | PathParameter<Rest>
  : never;

/** The path of one call, with its parameters percent-encoded. @throws {TypeError} when one is missing, or is a dot segment */
export function pathOf<const O extends Pick<Operation, 'path'>>(
  { path }: O,
  parameters: Readonly<Record<PathParameter<O['path']>, string>>,
): string {
  const values = new Map<string, string>(Object.entries(parameters));
  return path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    const value = values.get(name) ?? '';
    // A URL with one of these as a segment resolves to another path.
    if (['', '.', '..'].includes(value)) throw new TypeError(`${path}: "${value}" cannot stand for ${name}`);
    return encodeURIComponent(value);
  });
}

/** Whether the operation belongs to an account, and needs a token of that account. */
export function isOfAccount({ path }: Pick<Operation, 'path'>): boolean {
  return path.startsWith(accountPath);
}

/** Whether the operation shows one resource that can be changed: its answer has an ETag. */
export function isTagged({ method, path }: Pick<Operation, 'method' | 'path'>): boolean {
  return method === 'GET' && operations.some((operation) => operation.path === path && operation.changes);
}

/** Every fault that the operation can end in. */
export function faultsOf(operation: Operation): FaultType[] {
  const { method, path, query = [], faults = [], changes } = operation;
  const takesBody = method !== 'GET';
  const ifSo = (holds: boolean, ...types: FaultType[]) => (holds ? types : []);
  return [
    ...new Set([
      ...ifSo(takesBody || query.length > 0 || path.includes('{'), 'badRequest'),
      ...ifSo(isOfAccount(operation), 'unauthorized', 'forbidden', 'overLimit', 'instanceFault', 'serviceUnavailable'),
      ...ifSo(path.includes('{id}'), 'itemNotFound'),
      // An Idempotency-Key may have come with another request.
      ...ifSo(takesBody, 'badMediaType', 'unprocessableEntity'),
      ...faults,
      ...ifSo(changes === true, 'preconditionFailed'),
    ]),
  ];
}
