/** What the service says of itself: its versions, its documents, its health, and the regions of the deployment. */
import { z } from 'zod';
import { regionName } from '../primitives.js';
import { addedLater, link, utcTime } from './fields.js';
import { accountPath, apiVersion, type Operation } from './operation.js';

const version = z.object({
  id: z.literal(apiVersion),
  status: z.literal('CURRENT'),
  updated: z.string(),
  links: z.array(link),
});
export const versionsResponse = z.object({ versions: z.array(version) });
export const versionResponse = z.object({ version });

/** An outage that goes on: copies to the region wait until it is over. */
export const regionOutage = z.object({ code: z.string(), message: z.string(), since: utcTime });

/** The copies of the account to a region that bring bytes now, and how many bytes a second they bring together. */
export const regionCopying = z.object({ copies: z.int().nonnegative(), bytes_per_second: z.int().nonnegative() });

/** Null: it is not limited in this way. */
const limited = z.int().positive().nullable();
/** A limit of transfers that is in force. */
export const transferLimit = z.object({
  /** A region (`ORD`), what copies bring from one region to another (`DFW:ORD`), or each process (`process`). */
  scope: z.string(),
  bytes_per_second: limited,
  /** How many transfers of a process move bytes there at a time. */
  at_a_time: limited,
  /** How many requests a process makes at a time to the store, which has answered that it is busy. */
  requests_at_a_time: limited,
});
export type TransferLimit = z.infer<typeof transferLimit>;

export const regionResource = z.object({
  name: regionName,
  home: z.boolean(),
  /** Whether copies may be asked for to there. */
  copies: z.boolean(),
  outage: regionOutage.nullable(),
  /** Null from an older service. */
  copying: regionCopying.nullable(),
  /** What holds copies to the region back. Null when no replicator has told its limits within a minute. */
  limits: z.array(transferLimit).nullable(),
});
export type RegionResource = z.infer<typeof regionResource>;

export const regionsResponse = z.object({ regions: z.array(regionResource) });

const most = z.int().nonnegative();
/** As in Trove, -1 is no limit. */
const mostOrNone = z.int().min(-1);
/** Trove lists the limits of what there may be first, with the verb `ABSOLUTE`. Limits of requests would follow. */
export const limitsResponse = z.object({
  limits: z.array(
    z.object({
      verb: z.literal('ABSOLUTE'),
      max_instances: mostOrNone,
      max_backups: mostOrNone,
      max_volumes: mostOrNone,
      max_schedules: most,
      max_built_servers: mostOrNone,
      max_stored_gib: mostOrNone,
      max_concurrent_backups: mostOrNone,
      max_concurrent_copies: mostOrNone,
      max_streams: mostOrNone,
      max_webhooks: addedLater(most, 0),
    }),
  ),
});

export const getVersions = {
  name: 'getVersions',
  method: 'GET',
  path: '/',
  summary: 'List the API versions',
  status: 200,
  response: versionsResponse,
} as const satisfies Operation;

export const getV10 = {
  name: 'getV10',
  method: 'GET',
  path: `/${apiVersion}`,
  summary: 'Show this version',
  status: 200,
  response: versionResponse,
} as const satisfies Operation;

export const getOpenapiJson = {
  name: 'getOpenapiJson',
  method: 'GET',
  path: '/openapi.json',
  summary: 'Show this document',
  status: 200,
} as const satisfies Operation;

export const getDocs = {
  name: 'getDocs',
  method: 'GET',
  path: '/docs',
  summary: 'Show the reference as a page',
  status: 200,
} as const satisfies Operation;

export const getDocsReferenceJs = {
  name: 'getDocsReferenceJs',
  method: 'GET',
  path: '/docs/reference.js',
  summary: 'Get the script that draws the reference page',
  status: 200,
} as const satisfies Operation;

export const getHealthLive = {
  name: 'getHealthLive',
  method: 'GET',
  path: '/health/live',
  summary: 'Say that the process lives',
  status: 200,
} as const satisfies Operation;

export const getHealthReady = {
  name: 'getHealthReady',
  method: 'GET',
  path: '/health/ready',
  summary: 'Say whether the service can do its work',
  notes: 'When it cannot, the same answer has the status 503.',
  status: 200,
} as const satisfies Operation;

/** It is for operators, so the API serves it at its private port only. It is no operation of a client. */
export const getMetrics = {
  name: 'getMetrics',
  method: 'GET',
  path: '/metrics',
  summary: 'Show the metrics, for Prometheus',
  status: 200,
} as const satisfies Operation;

export const getRegions = {
  name: 'getRegions',
  rights: ['region.read'],
  method: 'GET',
  path: `${accountPath}/regions`,
  summary: 'List the regions',
  notes:
    "`outage` is there while a region is away or full. `copying` has the copies of the account to the region that bring bytes now, and how many bytes a second they have brought together in the last ten seconds; what a store copies by itself, and what is read back, is not in it. `limits` has what holds copies to the region back, as the replicators have told within the last minute: the limit of the region's vault (`ORD`), of what copies bring from one region to it (`DFW:ORD`), and of each `process`. A limit has a number of bytes a second, of transfers at a time in each process, or of requests at a time to a store that has answered that it is busy. Where replicators keep to different limits, the lowest is shown. null: no replicator has told its limits.",
  status: 200,
  response: regionsResponse,
} as const satisfies Operation;

export const getLimits = {
  name: 'getLimits',
  method: 'GET',
  path: `${accountPath}/limits`,
  rights: ['instance.read', 'backup.read'],
  summary: 'Show what the account may have',
  notes: 'A limit of -1 is none.',
  status: 200,
  response: limitsResponse,
} as const satisfies Operation;

export const serviceOperations: readonly Operation[] = [
  getVersions,
  getV10,
  getOpenapiJson,
  getDocs,
  getDocsReferenceJs,
  getHealthLive,
  getHealthReady,
  getRegions,
  getLimits,
];
