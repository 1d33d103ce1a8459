/** Every operation of the API: the one table that the document, the `Allow` header and the 501s are made from. */
import type { FaultType } from '@strongroom/contracts';
import * as contract from '@strongroom/contracts';
import { z } from 'zod';

export interface Example {
  name: string;
  request: unknown;
  response?: unknown;
}

export interface Operation {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** As OpenAPI writes it. */
  path: string;
  summary: string;
  /** What a reader of the document should know besides. */
  notes?: string;
  /** Of the success. */
  status: 200 | 202;
  request?: z.ZodType;
  response?: z.ZodType;
  query?: readonly ('limit' | 'marker' | 'instance_id' | 'datastore' | 'status')[];
  /** Faults beyond those that follow from the rest. */
  faults?: readonly FaultType[];
  examples?: readonly Example[];
  /** Changes or deletes one resource: takes If-Match. */
  changes?: true;
  /** Is a stream too, for who accepts text/event-stream. */
  streams?: true;
}

/** Of what is there already, in the examples. */
export const exampleId = '44b277eb-39be-4921-be31-3d61b43651d7';

const of = (path: string) => `/v1.0/{accountId}${path}`;

const service: readonly Operation[] = [
  { method: 'GET', path: '/', summary: 'List the API versions', status: 200, response: contract.versionsResponse },
  { method: 'GET', path: '/v1.0', summary: 'Show this version', status: 200, response: contract.versionResponse },
  { method: 'GET', path: '/openapi.json', summary: 'Show this document', status: 200 },
  { method: 'GET', path: '/docs', summary: 'Show the reference, for people', status: 200 },
  { method: 'GET', path: '/health/live', summary: 'Tell that the process lives', status: 200 },
  {
    method: 'GET',
    path: '/health/ready',
    summary: 'Tell whether the service can do its work',
    notes: 'When it can not, the same as a 503.',
    status: 200,
  },
  { method: 'GET', path: '/metrics', summary: 'Tell the measurements, to Prometheus', status: 200 },
];

const schedules: readonly Operation[] = [
  {
    method: 'POST',
    path: of('/schedules'),
    summary: 'Create a schedule',
    status: 202,
    request: contract.createScheduleRequest,
    response: contract.scheduleResponse,
    faults: ['itemNotFound', 'unprocessableEntity', 'notImplemented'],
    examples: [
      {
        name: 'schedule',
        request: {
          schedule: {
            action: 'backup',
            day_of_week: 0,
            hour: 14,
            instance_id: exampleId,
            minute: 30,
            copy_to: ['IAD', 'ORD'],
          },
        },
        response: {
          schedule: {
            action: 'backup',
            created: '2020-11-14T07:28:17',
            day_of_month: null,
            day_of_week: 0,
            full_backup_retention: 2,
            hour: 14,
            id: '88b277eb-39be-4921-be31-3d61b43651d7',
            instance_id: exampleId,
            last_scheduled: null,
            minute: 30,
            month: null,
            next_run: '2020-11-14T14:30:00',
            running: 0,
            source: { id: exampleId, type: 'instance' },
            updated: '2020-11-14T07:28:17',
            copy_to: ['IAD', 'ORD'],
            paused: false,
            version: 1,
          },
        },
      },
    ],
  },
  {
    method: 'GET',
    path: of('/schedules'),
    summary: 'List the schedules, by id',
    status: 200,
    response: contract.schedulesResponse,
    query: ['limit', 'marker', 'instance_id'],
  },
  {
    method: 'GET',
    path: of('/schedules/{id}'),
    summary: 'Show a schedule',
    status: 200,
    response: contract.scheduleResponse,
  },
  {
    method: 'PUT',
    path: of('/schedules/{id}'),
    summary: 'Change a schedule, or run it now',
    status: 202,
    request: contract.updateScheduleRequest,
    faults: ['unprocessableEntity'],
    changes: true,
    examples: [{ name: 'change', request: { schedule: { hour: 3, minute: 15, copy_to: ['IAD'], run_now: false } } }],
  },
  {
    method: 'DELETE',
    path: of('/schedules/{id}'),
    summary: 'Delete a schedule; its backups stay',
    status: 202,
    changes: true,
  },
  {
    method: 'GET',
    path: of('/schedules/{id}/runs'),
    summary: 'List what became of the slots of a schedule, newest first, the coming one before them',
    notes: 'A run that was asked for with run_now is of no slot: its backup is in the list of backups.',
    status: 200,
    response: contract.runsResponse,
    query: ['limit', 'marker'],
  },
];

const backups: readonly Operation[] = [
  {
    method: 'POST',
    path: of('/backups'),
    summary: 'Take a backup now',
    notes:
      'An incremental is built on the newest completed backup of its instance: a parent_id that names another is a 422.',
    status: 202,
    request: contract.createBackupRequest,
    response: contract.backupResponse,
    faults: ['itemNotFound', 'unprocessableEntity'],
    examples: [
      {
        name: 'backup',
        request: {
          backup: {
            name: 'before-migration',
            instance: exampleId,
            description: 'Before the new columns',
            copy_to: ['IAD'],
          },
        },
      },
    ],
  },
  {
    method: 'GET',
    path: of('/backups'),
    summary: 'List the backups, newest first',
    status: 200,
    response: contract.backupsResponse,
    query: ['limit', 'marker', 'instance_id', 'datastore', 'status'],
    faults: ['itemNotFound'],
  },
  {
    method: 'GET',
    path: of('/backups/{id}'),
    summary: 'Show a backup with its copies',
    status: 200,
    response: contract.backupResponse,
  },
  {
    method: 'DELETE',
    path: of('/backups/{id}'),
    summary: 'Delete a backup, everything made from it, and all their copies',
    status: 202,
    faults: ['unprocessableEntity'],
    changes: true,
  },
  {
    method: 'POST',
    path: of('/backups/{id}/action'),
    summary: 'Copy a backup to a region, or put it back into the one where it was made',
    status: 202,
    request: contract.backupActionRequest,
    faults: ['unprocessableEntity'],
    examples: [{ name: 'copy', request: { 'copy-backup': { target_backup_region: 'IAD' } } }],
  },
  {
    method: 'GET',
    path: of('/backups/{id}/copies'),
    summary: 'List the copies of a backup, by region',
    status: 200,
    response: contract.copiesResponse,
  },
];

const instances: readonly Operation[] = [
  {
    method: 'POST',
    path: of('/instances'),
    summary: 'Register an existing database server; or, with restorePoint, have one built from a backup',
    status: 200,
    request: z.union([contract.registerInstanceRequest, contract.restoreInstanceRequest]),
    response: contract.instanceResponse,
    faults: ['itemNotFound', 'conflict', 'notImplemented'],
    examples: [
      {
        name: 'register',
        request: {
          instance: {
            name: 'orders',
            datastore: { type: 'postgresql', version: '18' },
            connection: { host: 'db.example.com', port: 5432, user: 'backup', password: 'secret', tls: 'require' },
          },
        },
      },
      { name: 'restore', request: { instance: { name: 'orders-restored', restorePoint: { backupRef: exampleId } } } },
    ],
  },
  {
    method: 'GET',
    path: of('/instances'),
    summary: 'List the registered instances, by id',
    status: 200,
    response: contract.instancesResponse,
    query: ['limit', 'marker'],
  },
  {
    method: 'GET',
    path: of('/instances/{id}'),
    summary: 'Show an instance',
    status: 200,
    response: contract.instanceResponse,
  },
  {
    method: 'DELETE',
    path: of('/instances/{id}'),
    summary: 'Forget an instance; its schedule goes, its backups stay',
    status: 202,
    faults: ['unprocessableEntity'],
    changes: true,
  },
  {
    method: 'POST',
    path: of('/instances/{id}/action'),
    summary: 'Accept another server behind the address of an instance',
    notes:
      "The server of the lineage is the one that is meant: once the lineage has as many cycles of its own as are kept, retention lets go of what the instance's other lineages have that is older. For a role that may DELETE. Any other action is none of a service of backups: 501, and 422 while a backup runs.",
    status: 202,
    request: contract.instanceActionRequest,
    faults: ['unprocessableEntity', 'notImplemented'],
    examples: [{ name: 'accept', request: { 'accept-lineage': { lineage: exampleId } } }],
  },
  {
    method: 'GET',
    path: of('/instances/{id}/backups'),
    summary: 'List the backups of an instance, newest first',
    status: 200,
    response: contract.backupsResponse,
    query: ['limit', 'marker', 'datastore', 'status'],
  },
];

const others: readonly Operation[] = [
  { method: 'GET', path: of('/regions'), summary: 'List the regions', status: 200, response: contract.regionsResponse },
  {
    method: 'GET',
    path: of('/events'),
    summary: 'List the events of the account, oldest first; with Accept: text/event-stream, stream them as they happen',
    status: 200,
    response: contract.eventsResponse,
    query: ['limit', 'marker'],
    streams: true,
    faults: ['overLimit'],
  },
];

export const operations: readonly Operation[] = [...service, ...schedules, ...backups, ...instances, ...others];

const patterns = operations.map((operation) => ({
  operation,
  pattern: new RegExp(
    `^${operation.path
      .replace(/\/$/, '')
      .replaceAll('.', '\\.')
      .replaceAll(/\{\w+\}/g, '[^/]+')}/?$`,
  ),
}));

/** The operations on a path; none when the path is not the API's. */
export function operationsOn(path: string): Operation[] {
  return patterns.filter(({ pattern }) => pattern.test(path)).map(({ operation }) => operation);
}

/** An operation's name in the document, in settings and in measurements: `postSchedules`, `getSchedulesIdRuns`. */
export function idOf({ method, path }: Operation): string {
  const words = path.replace('/v1.0/{accountId}', '').match(/[a-z\d]+/gi) ?? ['versions'];
  return method.toLowerCase() + words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('');
}

/** The methods on a path, as an `Allow` header tells them. */
export function allowedOn(path: string): string[] {
  return operationsOn(path).map(({ method }) => method);
}

/** Whether the operation is on something of an account, and needs its token. */
export function isOfAccount({ path }: Operation): boolean {
  return path.startsWith(of(''));
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
