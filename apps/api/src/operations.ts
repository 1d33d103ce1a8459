/** Every operation of the API: the one table that the document, the `Allow` header and the 501s are made from. */

import type { FaultType } from '@strongroom/contracts';
import * as contract from '@strongroom/contracts';
import type { z } from 'zod';

export interface Operation {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** As OpenAPI writes it. */
  path: string;
  summary: string;
  /** Of the success. */
  status: 200 | 202;
  request?: z.ZodType;
  response?: z.ZodType;
  query?: readonly ('limit' | 'marker' | 'instance_id' | 'datastore' | 'status')[];
  /** Faults beyond those that every operation has. */
  faults?: readonly FaultType[];
  example?: unknown;
  /** In the contract, and not built yet: answers 501. */
  planned?: true;
}

const of = (path: string) => `/v1.0/{accountId}${path}`;

export const operations: readonly Operation[] = [
  { method: 'GET', path: '/', summary: 'List the API versions', status: 200, response: contract.versionsResponse },
  { method: 'GET', path: '/v1.0', summary: 'Show this version', status: 200, response: contract.versionResponse },
  {
    method: 'POST',
    path: of('/schedules'),
    summary: 'Create a schedule',
    status: 202,
    request: contract.createScheduleRequest,
    response: contract.scheduleResponse,
    faults: ['unprocessableEntity', 'notImplemented'],
    example: {
      schedule: {
        action: 'backup',
        day_of_week: 0,
        hour: 14,
        instance_id: '44b277eb-39be-4921-be31-3d61b43651d7',
        minute: 30,
        copy_to: ['IAD', 'ORD'],
      },
    },
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
    example: { schedule: { hour: 3, minute: 15, copy_to: ['IAD'], run_now: false } },
  },
  { method: 'DELETE', path: of('/schedules/{id}'), summary: 'Delete a schedule; its backups stay', status: 202 },
  {
    method: 'GET',
    path: of('/schedules/{id}/runs'),
    summary: 'List what became of the slots of a schedule, newest first, the coming one before them',
    status: 200,
    response: contract.runsResponse,
    query: ['limit', 'marker'],
  },
  {
    method: 'POST',
    path: of('/backups'),
    summary: 'Take a backup now',
    status: 202,
    request: contract.createBackupRequest,
    response: contract.backupResponse,
    faults: ['unprocessableEntity'],
    example: {
      backup: { name: 'before-migration', instance: '44b277eb-39be-4921-be31-3d61b43651d7', copy_to: ['IAD'] },
    },
  },
  {
    method: 'GET',
    path: of('/backups'),
    summary: 'List the backups, newest first',
    status: 200,
    response: contract.backupsResponse,
    query: ['limit', 'marker', 'instance_id', 'datastore', 'status'],
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
    summary: 'Delete a backup and everything made from it',
    status: 202,
    planned: true,
  },
  {
    method: 'POST',
    path: of('/backups/{id}/action'),
    summary: 'Copy a backup to a region',
    status: 202,
    planned: true,
  },
  {
    method: 'GET',
    path: of('/backups/{id}/copies'),
    summary: 'List the copies of a backup, by region',
    status: 200,
    response: contract.copiesResponse,
  },
  {
    method: 'POST',
    path: of('/instances'),
    summary: 'Register an existing database server',
    status: 200,
    request: contract.registerInstanceRequest,
    response: contract.instanceResponse,
    example: {
      instance: {
        name: 'orders',
        datastore: { type: 'postgresql', version: '18' },
        connection: { host: 'db.example.com', port: 5432, user: 'backup', password: 'secret', tls: 'require' },
      },
    },
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
    summary: 'Forget an instance; its backups stay',
    status: 202,
    planned: true,
  },
  {
    method: 'GET',
    path: of('/instances/{id}/backups'),
    summary: 'List the backups of an instance, newest first',
    status: 200,
    response: contract.backupsResponse,
    query: ['limit', 'marker', 'status'],
  },
  { method: 'GET', path: of('/regions'), summary: 'List the regions', status: 200, response: contract.regionsResponse },
  {
    method: 'GET',
    path: of('/events'),
    summary: 'List the events of the account, or stream them',
    status: 200,
    planned: true,
  },
];

const patterns = operations.map((operation) => ({
  operation,
  pattern: new RegExp(`^${operation.path.replace(/\/$/, '').replaceAll(/\{\w+\}/g, '[^/]+')}/?$`),
}));

/** The operations on a path; none when the path is not the API's. */
export function operationsOn(path: string): Operation[] {
  return patterns.filter(({ pattern }) => pattern.test(path)).map(({ operation }) => operation);
}
