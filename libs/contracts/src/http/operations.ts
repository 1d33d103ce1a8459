/**
 * Every operation of the API, and what follows from an operation: its paths, its methods, its faults. The routes, the
 * `Allow` header, the OpenAPI document, the rate limits and the client are made from this list.
 */
import { auditOperations } from './audit.js';
import { backupOperations } from './backups.js';
import { consoleOperations } from './console.js';
import { datastoreOperations } from './datastores.js';
import { eventOperations } from './events.js';
import { explanationOperations } from './explanations.js';
import type { FaultType } from './faults.js';
import { instanceOperations } from './instances.js';
import { accountPath, type Operation } from './operation.js';
import { restorableOperations } from './restorable.js';
import { postSchedulesIdPreview } from './schedule-previews.js';
import { scheduleOperations } from './schedules.js';
import { serviceOperations } from './service.js';
import { webhookOperations } from './webhooks.js';

/** The operations by what they are about, in the order in which people come for them. */
export const operationGroups: readonly { name: string; about: string; operations: readonly Operation[] }[] = [
  {
    name: 'Schedules',
    about: 'A schedule says when the backups of an instance are taken, and to which regions each is copied.',
    operations: [...scheduleOperations, postSchedulesIdPreview],
  },
  {
    name: 'Backups',
    about:
      'A backup is taken by a schedule or by hand. Each of its copies is in another region, and proven byte for byte.',
    operations: [...backupOperations, ...restorableOperations],
  },
  {
    name: 'Instances',
    about: 'An instance is a database server that is backed up, or one that was built from a backup.',
    operations: instanceOperations,
  },
  {
    name: 'Explanations',
    about: 'Why a schedule, a backup, a copy or an instance is as it is, or was at a past instant.',
    operations: explanationOperations,
  },
  {
    name: 'Datastores',
    about: 'The kinds of database servers that can be backed up, and their versions.',
    operations: datastoreOperations,
  },
  {
    name: 'Events',
    about: 'Everything that has happened to an account, page by page or as it happens.',
    operations: eventOperations,
  },
  {
    name: 'Webhooks',
    about: 'A webhook has the events of the account sent to a URL, signed, and again until somebody takes them.',
    operations: webhookOperations,
  },
  { name: 'Audit', about: 'Who has asked for what, and how it was answered.', operations: auditOperations },
  {
    name: 'Service',
    about: 'What the service says of itself: its versions, documents, health, regions and limits.',
    operations: serviceOperations,
  },
  {
    name: 'Console',
    about: 'The console for people, and the sessions of those who have signed in to it.',
    operations: consoleOperations,
  },
];

export const operations: readonly Operation[] = operationGroups.flatMap((group) => group.operations);

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

/** Whether the same request with the same Idempotency-Key gets the first answer again. What only asks has no effect to guard. */
export function takesKey(operation: Pick<Operation, 'method' | 'path' | 'onlyAsks'>): boolean {
  return operation.method !== 'GET' && isOfAccount(operation) && !operation.onlyAsks;
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
      ...ifSo(takesBody, 'badMediaType'),
      // An Idempotency-Key may have come with another request.
      ...ifSo(takesKey(operation), 'unprocessableEntity'),
      ...faults,
      ...ifSo(changes === true, 'preconditionFailed'),
    ]),
  ];
}
