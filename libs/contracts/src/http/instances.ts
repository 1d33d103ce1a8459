/** The schemas and the operations of instances: registered servers, and servers built from backups. No answer has a password. */
import { z } from 'zod';
import { datastoreType } from '../primitives.js';
import { anotherServer, backupsResponse } from './backups.js';
import { idInBody, integer, links, optional, text, utcTime, zonelessTime } from './fields.js';
import { accountPath, exampleId, type Operation } from './operation.js';
import { scheduleResource } from './schedules.js';

/** A host name or an address. The path of a socket is refused: it would lead to a server on the runner's own host. */
const host = text(1, 255).refine((value) => /^[\p{L}\p{N}._:%-]+$/u.test(value), {
  error: 'must be a host name or an IP address',
});

/** An instance has either `connection` (registered) or `restorePoint` (built). The other one can only be null. */
function beside(other: string) {
  return optional(z.null({ error: `can only be null beside ${other}` }));
}

export const registerInstanceRequest = z.strictObject({
  instance: z.strictObject({
    name: text(1, 255),
    datastore: z.strictObject({
      type: datastoreType,
      version: text(1, 32).refine((value) => /^\d+(\.\d+)*$/.test(value), {
        error: 'must be a version such as "18" or "17.6"',
      }),
    }),
    connection: z.strictObject({
      host,
      port: integer(1, 65_535),
      user: text(1, 63),
      /** It is kept sealed, and stands in no answer, event or log. */
      password: text(0, 1_024, 'text'),
      database: optional(text(1, 63)),
      tls: optional(
        z.enum(['disable', 'require', 'verify-full'], { error: 'must be "disable", "require" or "verify-full"' }),
      ),
    }),
    restorePoint: beside('connection'),
  }),
});

export const restoreInstanceRequest = z.strictObject({
  instance: z.strictObject({
    name: text(1, 255),
    restorePoint: z.strictObject({ backupRef: idInBody }),
    connection: beside('restorePoint'),
    // Known clients send these fields. They have no effect: the server is as the backup has it.
    flavorRef: z.unknown().optional(),
    volume: z.unknown().optional(),
    datastore: z.unknown().optional(),
    databases: z.unknown().optional(),
    users: z.unknown().optional(),
    nics: z.unknown().optional(),
    availability_zone: z.unknown().optional(),
    configuration: z.unknown().optional(),
    region_name: z.unknown().optional(),
    replica_count: z.unknown().optional(),
    locality: z.unknown().optional(),
    access: z.unknown().optional(),
  }),
});

/** Known clients send other actions here, such as `resize`. A service of backups does none of them. */
export const instanceActionRequest = z.strictObject({
  'accept-lineage': z.strictObject({ lineage: idInBody }),
});

/** A lineage: the backups that are states of one history of one server. Retention counts each lineage apart. */
export const lineageResource = z.object({
  /** The id of its first backup. */
  id: z.string(),
  /** How many of its backups exist. */
  backups: z.int(),
  newest_backup_id: z.string(),
  first_completed: utcTime,
  last_completed: utcTime,
  /** Whether the newest backup of the instance belongs to it. */
  current: z.boolean(),
  /** The lineages that it replaces. Their older backups go once it has as many cycles as are kept. */
  in_place_of: z.array(z.string()),
  another_server: anotherServer.nullable(),
});
export type LineageResource = z.infer<typeof lineageResource>;

export const instanceResource = z.object({
  id: z.string(),
  name: z.string(),
  /** Only an instance that is built from a backup has the status `BUILD` or `ERROR`. */
  status: z.enum(['BUILD', 'ACTIVE', 'BACKUP', 'ERROR']),
  /**
   * What is known of the server itself: `HEALTHY` when the newest of its ended backups was completed, `UNKNOWN` when that failed or
   * there is none, `BUILDING` and `FAILED` for a server that is or was to be built.
   */
  operating_status: z.enum(['HEALTHY', 'UNKNOWN', 'BUILDING', 'FAILED']),
  /** Why it is in `ERROR`. It is absent without a fault, because known clients take its presence for one. */
  fault: z.object({ code: z.string(), message: z.string(), created: zonelessTime }).optional(),
  datastore: z.object({ type: z.string(), version: z.string() }),
  flavor: z.object({ id: z.literal('0'), links }),
  volume: z.object({ size: z.int() }),
  /** Null until it is built. */
  hostname: z.string().nullable(),
  port: z.int().nullable(),
  /** Its address, when that is an IP address; a host name is not looked up. Known clients also read `addresses`. */
  ip: z.array(z.string()),
  addresses: z.array(z.object({ type: z.enum(['private', 'public']), address: z.string() })),
  created: zonelessTime,
  updated: zonelessTime,
  schedule: scheduleResource.nullable(),
  /** The lineage with the newest backup comes first. */
  lineages: z.array(lineageResource),
  /** What to do when the server is another one than before; null when nothing is to be done. */
  warning: z.string().nullable(),
  links,
});
export type InstanceResource = z.infer<typeof instanceResource>;

export const instanceResponse = z.object({ instance: instanceResource });
/** Some known clients read the link to the next page in `links`, others in `instances_links`. */
export const instancesResponse = z.object({ instances: z.array(instanceResource), links, instances_links: links });

export const postInstances = {
  name: 'postInstances',
  method: 'POST',
  path: `${accountPath}/instances`,
  summary: 'Register an existing database server; with restorePoint, have a server built from a backup',
  status: 200,
  request: z.union([registerInstanceRequest, restoreInstanceRequest]),
  response: instanceResponse,
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
} as const satisfies Operation;

export const getInstances = {
  name: 'getInstances',
  method: 'GET',
  path: `${accountPath}/instances`,
  summary: 'List the registered instances, by id',
  status: 200,
  response: instancesResponse,
  query: ['limit', 'marker'],
} as const satisfies Operation;

export const getInstancesId = {
  name: 'getInstancesId',
  method: 'GET',
  path: `${accountPath}/instances/{id}`,
  summary: 'Show an instance',
  status: 200,
  response: instanceResponse,
} as const satisfies Operation;

export const deleteInstancesId = {
  name: 'deleteInstancesId',
  method: 'DELETE',
  path: `${accountPath}/instances/{id}`,
  summary: 'Forget an instance; its schedule goes, its backups stay',
  status: 202,
  faults: ['unprocessableEntity'],
  changes: true,
} as const satisfies Operation;

export const postInstancesIdAction = {
  name: 'postInstancesIdAction',
  method: 'POST',
  path: `${accountPath}/instances/{id}/action`,
  summary: 'Accept another server behind the address of an instance',
  notes:
    "Says that the server of this lineage is the right one. Once the lineage has as many cycles of its own as are kept, retention deletes the older backups of the instance's other lineages. It needs a role that may DELETE. Any other action is a 501, and a 422 while a backup runs.",
  status: 202,
  request: instanceActionRequest,
  faults: ['unprocessableEntity', 'notImplemented'],
  examples: [{ name: 'accept', request: { 'accept-lineage': { lineage: exampleId } } }],
} as const satisfies Operation;

export const getInstancesIdBackups = {
  name: 'getInstancesIdBackups',
  method: 'GET',
  path: `${accountPath}/instances/{id}/backups`,
  summary: 'List the backups of an instance, newest first',
  status: 200,
  response: backupsResponse,
  query: ['limit', 'marker', 'datastore', 'status'],
} as const satisfies Operation;

export const instanceOperations: readonly Operation[] = [
  postInstances,
  getInstances,
  getInstancesId,
  deleteInstancesId,
  postInstancesIdAction,
  getInstancesIdBackups,
];
