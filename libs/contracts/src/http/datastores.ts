/**
 * The schemas and the operations of datastores: the kinds of database servers, and the versions of each. Known clients look
 * a datastore or a version up by its name or its id, as OpenStack's reference of the Database API has them.
 */
import { z } from 'zod';
import { link } from './fields.js';
import { accountPath, type Operation } from './operation.js';

/** `self` is where it is shown; `bookmark` is the same without the account. */
const links = z.array(link);

const listedVersion = z.object({ id: z.string(), name: z.string(), links });

export const datastoreVersionResource = z.object({
  /** As a backup of this version has it in `datastore.version_id`. */
  id: z.string(),
  name: z.string(),
  /** The same as the name: Strongroom knows no other number of a version. */
  version: z.string(),
  /** The id of its datastore. */
  datastore: z.string(),
  links,
});
export type DatastoreVersionResource = z.infer<typeof datastoreVersionResource>;

export const datastoreResource = z.object({
  id: z.string(),
  /** As an instance has it in `datastore.type`. */
  name: z.string(),
  /** The id of the newest version that backups are taken of. */
  default_version: z.string(),
  /** The versions that backups are taken of, and those that the account's instances and backups have. */
  versions: z.array(listedVersion),
  links,
});
export type DatastoreResource = z.infer<typeof datastoreResource>;

export const datastoreResponse = z.object({ datastore: datastoreResource });
export const datastoresResponse = z.object({ datastores: z.array(datastoreResource) });
export const datastoreVersionResponse = z.object({ version: datastoreVersionResource });
export const datastoreVersionsResponse = z.object({ versions: z.array(datastoreVersionResource) });

export const getDatastores = {
  name: 'getDatastores',
  rights: ['datastore.read'],
  method: 'GET',
  path: `${accountPath}/datastores`,
  summary: 'List the kinds of database servers that are backed up, with their versions',
  status: 200,
  response: datastoresResponse,
} as const satisfies Operation;

export const getDatastoresId = {
  name: 'getDatastoresId',
  rights: ['datastore.read'],
  method: 'GET',
  path: `${accountPath}/datastores/{id}`,
  summary: 'Show a kind of database server, by its id or its name',
  status: 200,
  response: datastoreResponse,
} as const satisfies Operation;

export const getDatastoresIdVersions = {
  name: 'getDatastoresIdVersions',
  rights: ['datastore.read'],
  method: 'GET',
  path: `${accountPath}/datastores/{id}/versions`,
  summary: 'List the versions of a kind of database server',
  status: 200,
  response: datastoreVersionsResponse,
} as const satisfies Operation;

export const getDatastoresIdVersionsVersion = {
  name: 'getDatastoresIdVersionsVersion',
  rights: ['datastore.read'],
  method: 'GET',
  path: `${accountPath}/datastores/{id}/versions/{version}`,
  summary: 'Show a version, by its id or its name',
  status: 200,
  response: datastoreVersionResponse,
} as const satisfies Operation;

export const getDatastoresVersionsId = {
  name: 'getDatastoresVersionsId',
  rights: ['datastore.read'],
  method: 'GET',
  path: `${accountPath}/datastores/versions/{id}`,
  summary: 'Show a version, by its id alone',
  status: 200,
  response: datastoreVersionResponse,
} as const satisfies Operation;

export const datastoreOperations: readonly Operation[] = [
  getDatastores,
  getDatastoresId,
  getDatastoresIdVersions,
  getDatastoresIdVersionsVersion,
  getDatastoresVersionsId,
];
