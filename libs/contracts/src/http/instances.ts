/** The schemas and the operations of instances: registered servers, and servers built from backups. No answer has a password. */
import { z } from 'zod';
import { datastoreType } from '../primitives.js';
import type { Right } from '../rights.js';
import { anotherServer, backupsResponse } from './backups.js';
import { addedLater, hasField, idInBody, integer, links, optional, text, utcTime, zonelessTime } from './fields.js';
import { accountPath, exampleId, type Operation } from './operation.js';
import { scheduleResource } from './schedules.js';

/** The path of a socket is refused: it would lead to a server on the runner's own host. */
const hostName = /^[\p{L}\p{N}._-]+$/u;
/** It has two colons or more: one alone stands before a port, which is a field of its own. A zone may follow it. */
const addressOfIpv6 = /^(?=.*:.*:)[\da-f:.]+(%[\w.-]+)?$/i;
const host = text(1, 255).refine((value) => hostName.test(value) || addressOfIpv6.test(value), {
  error: 'must be a host name or an IP address, without brackets and without a port',
});

const name = text(1, 255);
const port = integer(1, 65_535);
const user = text(1, 63);
const database = text(1, 63);
/** It is kept sealed, and stands in no answer, event or log. */
const password = text(0, 1_024, 'text');
/** Each proves more than the one before it. */
export const tlsModes = ['disable', 'require', 'verify-ca', 'verify-full'] as const;
const tls = z.enum(tlsModes, { error: 'must be "disable", "require", "verify-ca" or "verify-full"' });
/** An empty text means none. */
const pem = text(0, 32_768, 'text');
const certificates = {
  /** The authorities that must have signed the server's certificate. Without it, those that the service trusts. */
  ca_certificate: optional(pem),
  /** What the service shows to the server. More certificates may follow it, up to the authority. */
  client_certificate: optional(pem),
  /** The key of `client_certificate`, without a passphrase. It is kept as the password is. */
  client_key: optional(pem),
};

/** An instance has either `connection` (registered) or `restorePoint` (built). The other one can only be null. */
function beside(other: string) {
  return optional(z.null({ error: `can only be null beside ${other}` }));
}

export const registerInstanceRequest = z.strictObject({
  instance: z.strictObject({
    name,
    datastore: z.strictObject({
      type: datastoreType,
      version: text(1, 32).refine((value) => /^\d+(\.\d+)*$/.test(value), {
        error: 'must be a version such as "18" or "17.6"',
      }),
    }),
    connection: z.strictObject({
      host,
      port,
      user,
      password,
      database: optional(database),
      tls: optional(tls),
      ...certificates,
    }),
    restorePoint: beside('connection'),
  }),
});

export const restoreInstanceRequest = z.strictObject({
  instance: z.strictObject({
    name,
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

const nothingElse = optional(z.null({ error: 'can only be null: a service of backups does not change this' }));

/** Every field stays as it is without a value of its own. The fields that can only be null are those of known clients. */
export const changeInstanceRequest = z.strictObject({
  instance: z.strictObject({
    name: optional(name),
    connection: optional(
      z.strictObject({
        host: optional(host),
        port: optional(port),
        user: optional(user),
        password: optional(password),
        database: optional(database),
        tls: optional(tls),
        ...certificates,
      }),
    ),
    /** Whether the connection is tried before it counts. */
    verify: optional(z.boolean({ error: 'must be true or false' })),
    configuration: nothingElse,
    replica_of: nothingElse,
    slave_of: nothingElse,
    access: nothingElse,
  }),
});
export type ChangeInstanceRequest = z.output<typeof changeInstanceRequest>['instance'];
export type ConnectionChange = NonNullable<ChangeInstanceRequest['connection']>;

export const acceptLineageRequest = z.strictObject({
  'accept-lineage': z.strictObject({ lineage: idInBody }),
});
export const testConnectionRequest = z.strictObject({ 'test-connection': z.strictObject({}).nullable() });

/** Known clients send other actions here, such as `resize`. A service of backups does none of them. */
export const someActionRequest = z.looseObject({});
export const instanceActionRequest = z.union([acceptLineageRequest, testConnectionRequest]);

/** Whether backups of a kind are possible now. */
const possibility = z.object({
  possible: z.boolean(),
  /** Everything that is missing, each as sentences that say what to change; empty when nothing is. */
  missing: z.array(z.string()),
});

export const connectionTest = z.object({
  /** What the server calls itself; null when it let nobody in. */
  server: z
    .object({
      version: z.string(),
      system_id: z.string().nullable(),
      /** How far its clock is ahead of that of the service, or behind it where that is negative; null when it did not tell. */
      clock_ahead_seconds: z.number().nullable(),
    })
    .nullable(),
  full: possibility,
  incremental: possibility,
  tried: z.array(
    z.object({
      what: z.string(),
      /** Null when it went well. */
      fault: z.object({ code: z.string(), message: z.string() }).nullable(),
    }),
  ),
  /** What is well now and will not stay so, such as a certificate that ends soon. */
  warnings: z.array(z.string()),
});
export type ConnectionTest = z.infer<typeof connectionTest>;
export const connectionTestResponse = z.object({ connection_test: connectionTest });

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
  operating_status: addedLater(z.enum(['HEALTHY', 'UNKNOWN', 'BUILDING', 'FAILED']), 'UNKNOWN'),
  /** Why it is in `ERROR`. It is absent without a fault, because known clients take its presence for one. */
  fault: z.object({ code: z.string(), message: z.string(), created: zonelessTime }).optional(),
  /** The version is the one that the server has told. Until it has told one, it is the one that was declared. */
  datastore: z.object({ type: z.string(), version: z.string() }),
  flavor: z.object({ id: z.literal('0'), links }),
  volume: z.object({ size: z.int() }),
  /** Null until it is built. */
  hostname: z.string().nullable(),
  port: z.int().nullable(),
  /** How the server is reached, without its credential; null until it is built. */
  connection: z
    .object({
      host: z.string(),
      port: z.int(),
      user: z.string(),
      database: z.string(),
      tls: z.enum(tlsModes),
      ca_certificate: z.string().nullable(),
      client_certificate: z.string().nullable(),
    })
    .nullable(),
  /** Its address, when that is an IP address; a host name is not looked up. Known clients also read `addresses`. */
  ip: z.array(z.string()),
  addresses: z.array(z.object({ type: z.enum(['private', 'public']), address: z.string() })),
  created: zonelessTime,
  updated: zonelessTime,
  schedule: scheduleResource.nullable(),
  /** The lineage with the newest backup comes first. */
  lineages: z.array(lineageResource),
  /** What to do about a server that is another one than before, or about certificates that end; null when nothing is. */
  warning: z.string().nullable(),
  links,
});
export type InstanceResource = z.infer<typeof instanceResource>;

export const instanceResponse = z.object({ instance: instanceResource });
/** Some known clients read the link to the next page in `links`, others in `instances_links`. */
export const instancesResponse = z.object({ instances: z.array(instanceResource), links, instances_links: links });

/** Whether a request for a new instance wants a server to be built from a backup. */
export function asksForRestore(body: unknown): boolean {
  return hasField(body, 'instance') && hasField(body.instance, 'restorePoint') && body.instance.restorePoint !== null;
}

export const postInstances = {
  name: 'postInstances',
  rights: ['instance.register', 'restore'],
  rightsFor: (body) => [asksForRestore(body) ? 'restore' : 'instance.register'],
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
          connection: { host: 'db.example.com', port: 5432, user: 'backup', password: 'secret' },
        },
      },
    },
    { name: 'restore', request: { instance: { name: 'orders-restored', restorePoint: { backupRef: exampleId } } } },
  ],
} as const satisfies Operation;

export const getInstances = {
  name: 'getInstances',
  rights: ['instance.read'],
  method: 'GET',
  path: `${accountPath}/instances`,
  summary: 'List the registered instances, by id',
  status: 200,
  response: instancesResponse,
  query: ['limit', 'marker'],
} as const satisfies Operation;

export const getInstancesId = {
  name: 'getInstancesId',
  rights: ['instance.read'],
  method: 'GET',
  path: `${accountPath}/instances/{id}`,
  summary: 'Show an instance',
  status: 200,
  response: instanceResponse,
} as const satisfies Operation;

const change = {
  path: `${accountPath}/instances/{id}`,
  status: 202,
  request: changeInstanceRequest,
  faults: ['unprocessableEntity'],
  changes: true,
  notes:
    'A connection or a credential is tried against the server first. When no full backup could be taken with it, the answer is a 422 and the one before stays. With "verify": false it counts without being tried. Schedule, backups and retention stay as they are. A backup that is running goes on with the connection that it has.',
} as const;

export const patchInstancesId = {
  ...change,
  name: 'patchInstancesId',
  rights: ['instance.update'],
  method: 'PATCH',
  summary: "Change an instance's name, connection or credential",
  examples: [
    { name: 'rename', request: { instance: { name: 'bills' } } },
    {
      name: 'rotate',
      request: { instance: { connection: { password: 'new secret' }, verify: false } },
    },
  ],
} as const satisfies Operation;

export const putInstancesId = {
  ...change,
  name: 'putInstancesId',
  rights: ['instance.update'],
  method: 'PUT',
  summary: 'The same as PATCH, for known clients: what is left out stays',
  examples: [{ name: 'rename', request: { instance: { name: 'bills' } } }],
} as const satisfies Operation;

export const deleteInstancesId = {
  name: 'deleteInstancesId',
  rights: ['instance.forget'],
  method: 'DELETE',
  path: `${accountPath}/instances/{id}`,
  summary: 'Forget an instance; its schedule goes, its backups stay',
  status: 202,
  faults: ['unprocessableEntity'],
  changes: true,
} as const satisfies Operation;

const rightOfAction = {
  'test-connection': 'instance.test',
  'accept-lineage': 'instance.accept-lineage',
} as const satisfies Record<string, Right>;

/** The action that a body names; undefined when it is none that there is. */
export function instanceActionIn(body: unknown): keyof typeof rightOfAction | undefined {
  return (['test-connection', 'accept-lineage'] as const).find((action) => hasField(body, action));
}

export const postInstancesIdAction = {
  name: 'postInstancesIdAction',
  rights: ['instance.test', 'instance.accept-lineage'],
  rightsFor: (body) => {
    const action = instanceActionIn(body);
    return action === undefined ? [] : [rightOfAction[action]];
  },
  method: 'POST',
  path: `${accountPath}/instances/{id}/action`,
  summary: 'Accept another server behind the address of an instance, or test the connection to it',
  notes:
    "accept-lineage says that the server of this lineage is the right one. Once the lineage has as many cycles of its own as are kept, retention deletes the older backups of the instance's other lineages. It needs the right instance.accept-lineage. test-connection tries the connections that backups need, within five seconds, and tells everything that full and incremental backups lack; it is answered with a 200. Any other action is a 501, and a 422 while a backup runs.",
  status: 202,
  request: instanceActionRequest,
  answer: connectionTestResponse,
  faults: ['unprocessableEntity', 'notImplemented'],
  examples: [
    { name: 'accept', request: { 'accept-lineage': { lineage: exampleId } } },
    { name: 'test', request: { 'test-connection': {} } },
  ],
} as const satisfies Operation;

export const getInstancesIdBackups = {
  name: 'getInstancesIdBackups',
  rights: ['backup.read'],
  method: 'GET',
  path: `${accountPath}/instances/{id}/backups`,
  summary: 'List the backups of an instance, newest first',
  status: 200,
  response: backupsResponse,
  query: ['limit', 'marker', 'datastore', 'status', 'deleted'],
} as const satisfies Operation;

export const instanceOperations: readonly Operation[] = [
  postInstances,
  getInstances,
  getInstancesId,
  patchInstancesId,
  putInstancesId,
  deleteInstancesId,
  postInstancesIdAction,
  getInstancesIdBackups,
];
