/** The events of instances: how a server is reached, and what becomes of one that is built from a backup. */
import { z } from 'zod';
import { datastore, instant, regionName, uuid } from '../primitives.js';
import { reason } from './forms.js';

/** Where and how a database server is reached. The password is not here, because no event holds a credential. */
export const endpoint = z.strictObject({
  host: z.string().min(1).max(255),
  port: z.int().min(1).max(65_535),
  user: z.string().min(1).max(63),
  database: z.string().min(1).max(63),
  tls: z.enum(['disable', 'require', 'verify-full', 'verify-ca']),
});

/** One certificate or more, as text. Certificates are public; no event holds a key. */
const certificates = z.string().min(1).max(65_536);

/** An endpoint, and the certificates of its TLS connections. */
export const securedEndpoint = endpoint.extend({
  /** The authorities that must have signed the server's certificate; null: those that the process trusts. */
  caCertificate: certificates.nullable(),
  /** What Strongroom shows to the server; null: nothing. Its key is a part of the sealed credential. */
  clientCertificate: certificates.nullable(),
});
/** How a server is reached. Without certificates, an endpoint is as older versions know it. */
export type Endpoint = z.infer<typeof endpoint> & Partial<z.infer<typeof securedEndpoint>>;

export const instanceEvents = {
  /** A database server was registered with an account. */
  InstanceRegistered: z.strictObject({ instanceId: uuid, name: z.string().min(1).max(255), datastore, endpoint }),
  /** A new server is to be built from a backup. */
  InstanceBuildRequested: z.strictObject({
    instanceId: uuid,
    name: z.string().min(1).max(255),
    datastore,
    backupId: uuid,
  }),
  /** The server runs. From now on it is an instance like any other. */
  InstanceBuilt: z.strictObject({
    instanceId: uuid,
    name: z.string().min(1).max(255),
    datastore,
    backupId: uuid,
    /** The region that the backup was restored from. */
    region: regionName,
    endpoint,
  }),
  /** The server could not be built, and is not tried again. The reason is a sentence, and the code is for programs. */
  InstanceBuildFailed: z.strictObject({ instanceId: uuid, backupId: uuid, code: z.string().min(1), reason }),
  /** The server could not be built now, and it is tried again at `retryAt`. */
  InstanceBuildAttemptFailed: z.strictObject({
    instanceId: uuid,
    backupId: uuid,
    code: z.string().min(1),
    reason,
    retryAt: instant,
  }),
  /** A built server does not run, and is started again and again. */
  InstanceServerDown: z.strictObject({ instanceId: uuid, code: z.string().min(1), reason }),
  /** A built server that was down runs again. */
  InstanceServerUp: z.strictObject({ instanceId: uuid }),
  /**
   * Holds what is in force from now on, whole. It also stands beside the registration of a server that is reached with
   * certificates.
   */
  InstanceChanged: z.strictObject({
    instanceId: uuid,
    name: z.string().min(1).max(255),
    endpoint: securedEndpoint,
    /** Names the sealed credential, which no event holds; null: the one that was stored under the instance itself. */
    credentialId: uuid.nullable(),
  }),
  /** The server behind the instance has told a version that was not known until now. */
  InstanceVersionFound: z.strictObject({ instanceId: uuid, datastore }),
  /**
   * Somebody has accepted the server of a lineage as the right one. When the lineage has as many cycles of its own as are
   * kept, retention deletes the older backups of the other lineages that are named here.
   */
  LineageAccepted: z.strictObject({ instanceId: uuid, lineage: uuid, inPlaceOf: z.array(uuid).min(1) }),
  /** The instance is not backed up any more. Its backups stay. */
  InstanceForgotten: z.strictObject({ instanceId: uuid }),
} as const;
