/**
 * What is audited. What somebody did is an event of the ledger; which events count is listed here. What was refused, and the rights and
 * keys that are in force, change nothing of an account: they are entries of the audit alone.
 */
import { z } from 'zod';
import { actorDetails } from './actors.js';
import type { EventType } from './recorded-events.js';
import { rights } from './rights.js';

/** The events that an auditor asks for. The index `ledger_event_audited_with_webhooks` has the same list: a longer one needs a new index. */
export const auditedEvents = [
  'InstanceRegistered',
  'InstanceBuildRequested',
  'InstanceChanged',
  'InstanceForgotten',
  'LineageAccepted',
  'ScheduleUpdated',
  'ScheduleDeleted',
  'BackupDeletionMarked',
  'BackupDeletionReverted',
  'BackupDeletionApproved',
  'BackupDeletionRequested',
  'BackupDeleted',
  'BackupHeld',
  'BackupHoldLifted',
  'CopyDeletionRequested',
  'WebhookCreated',
  'WebhookUpdated',
  'WebhookSecretRotated',
  'WebhookDeleted',
] as const satisfies readonly EventType[];
export type AuditedEvent = (typeof auditedEvents)[number];

/** Why a request was refused. */
export const refusedBecause = z.enum([
  /** It had no token, or one that is nobody's. */
  'unauthorized',
  /** Its token is of another account. */
  'other-account',
  /** Its token lacks a right. */
  'missing-right',
  /** Its token reaches only some instances. */
  'instances-only',
  /** Somebody else has to do this. */
  'second-person-needed',
  /** The account asks too often. */
  'rate-limit',
]);
export type RefusedBecause = z.infer<typeof refusedBecause>;

/** Requests that were refused alike: the first one, and how many there were from then on. */
export const refusedRequests = z.strictObject({
  status: z.int(),
  because: refusedBecause,
  /** The operation; null where the API has none. */
  operation: z.string().nullable(),
  /** The rights of which one was missing. */
  rights: z.array(z.enum(rights)),
  /** The account in the path, where it is another one than that of the token. */
  asked_account: z.string().nullable(),
  address: z.string().nullable(),
  count: z.int().positive(),
  /** When the last of them came. */
  until: z.string(),
  request_id: z.string(),
  client_request_id: z.string().nullable(),
});
export type RefusedRequests = z.infer<typeof refusedRequests>;

/** The tokens of an account and what each may do, from now on. */
export const rightsInForce = z.strictObject({
  tokens: z.array(
    z.strictObject({
      name: z.string(),
      id: z.string(),
      roles: z.array(z.string()),
      rights: z.array(z.string()),
      instances: z.array(z.string()).nullable(),
      expires_at: z.string().nullable(),
    }),
  ),
});
export type RightsInForce = z.infer<typeof rightsInForce>;

/** The ids of the secret keys from now on, the newest first; and the roles of the deployment. */
export const settingsInForce = z.strictObject({
  key_ids: z.array(z.string()),
  roles: z.record(z.string(), z.array(z.string())),
});
export type SettingsInForce = z.infer<typeof settingsInForce>;

/** What is in the audit and no event. */
export const auditEntry = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('RequestsRefused'), actor: actorDetails.nullable(), data: refusedRequests }),
  z.strictObject({ type: z.literal('RightsInForce'), actor: z.null(), data: rightsInForce }),
  z.strictObject({ type: z.literal('SettingsInForce'), actor: z.null(), data: settingsInForce }),
]);
export type AuditEntry = z.infer<typeof auditEntry>;
