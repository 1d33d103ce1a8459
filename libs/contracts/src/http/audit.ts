/** The schema and the operation of the account's audit: what somebody did, and what was refused. */
import { z } from 'zod';
import { actorDetails } from '../actors.js';
import { auditedEvents } from '../audit.js';
import { aggregate } from '../streams.js';
import { links, utcTime } from './fields.js';
import { accountPath, type Operation } from './operation.js';

export const auditResource = z.object({
  id: z.string(),
  at: utcTime,
  /** The type of an event; or `RequestsRefused`, or `RightsInForce`. */
  type: z.enum([...auditedEvents, 'RequestsRefused', 'RightsInForce', 'SettingsInForce']),
  /** Who did it, by name; null when nobody is known. */
  actor: z.string().nullable(),
  actor_details: actorDetails.nullable(),
  /** Why the actor did it, where the actor has said so. */
  reason: z.string().nullable(),
  /** What it was done to; null when that is nothing of the account. */
  subject: z.object({ kind: aggregate, id: z.string() }).nullable(),
  instance_id: z.string().nullable(),
  request_id: z.string().nullable(),
  client_request_id: z.string().nullable(),
  /** The event that it follows from. */
  causation_id: z.string().nullable(),
  /** Its shape is that of the type. */
  data: z.unknown(),
});
export type AuditResource = z.infer<typeof auditResource>;

export const auditResponse = z.object({ audit: z.array(auditResource), links });

export const getAudit = {
  name: 'getAudit',
  rights: ['audit.read'],
  method: 'GET',
  path: `${accountPath}/audit`,
  summary:
    'List what was done to the account, and what was refused, oldest first; with Accept: text/event-stream, stream it as it happens',
  notes:
    'Deletions, restores, holds, approvals, changed instances and schedules, and refused requests. Requests that are refused alike within ten minutes are one or two items with a count.',
  status: 200,
  response: auditResponse,
  query: ['limit', 'marker'],
  streams: true,
} as const satisfies Operation;

export const auditOperations: readonly Operation[] = [getAudit];
