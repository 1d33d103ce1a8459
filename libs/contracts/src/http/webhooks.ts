/** The schemas and the operations of webhooks: events that are sent to a URL, signed as Standard Webhooks has it. */
import { z } from 'zod';
import { webhookFormat } from '../events.js';
import { eventType } from '../recorded-events.js';
import { idInBody, links, optional, text, utcTime } from './fields.js';
import { accountPath, exampleId, type Operation } from './operation.js';

const fields = {
  name: text(1, 255),
  url: text(1, 2_048),
  types: z
    .array(z.enum(eventType.options, { error: 'must be the type of an event, such as "BackupFailed"' }), {
      error: 'must be an array of types of events',
    })
    .refine((all) => new Set(all).size === all.length, { error: 'must not name a type twice' }),
  format: z.enum(webhookFormat.options, { error: 'must be "event", "slack", "teams" or "ntfy"' }),
  enabled: z.boolean({ error: 'must be true or false' }),
};

export const createWebhookRequest = z.strictObject({
  webhook: z.strictObject({
    name: fields.name,
    url: fields.url,
    types: optional(fields.types),
    format: optional(fields.format),
    enabled: optional(fields.enabled),
  }),
});

export const updateWebhookRequest = z.strictObject({
  webhook: z.strictObject({
    name: optional(fields.name),
    url: optional(fields.url),
    types: optional(fields.types),
    format: optional(fields.format),
    enabled: optional(fields.enabled),
  }),
});
export type UpdateWebhookRequest = z.output<typeof updateWebhookRequest>['webhook'];

export const replayRequest = z.strictObject({ replay: z.strictObject({ event_id: idInBody }) });

export const deliveryResource = z.object({
  /** The id of the event, which is the header `webhook-id` of each attempt. */
  id: z.string(),
  event_type: z.string(),
  /** `waiting` is tried again. `failed` was refused each time and passed over: it can be replayed. */
  state: z.enum(['waiting', 'delivered', 'failed']),
  attempts: z.int(),
  http_status: z.int().nullable(),
  fault: z.object({ code: z.string(), message: z.string() }).nullable(),
  duration_ms: z.int(),
  first_attempt: utcTime,
  last_attempt: utcTime,
});
export type DeliveryResource = z.infer<typeof deliveryResource>;

export const webhookResource = z.object({
  id: z.string(),
  name: z.string(),
  /** The scheme, host and port of its URL. The rest of a URL may be a secret, and is not told again. */
  url_origin: z.string(),
  /** The types of events that are sent. An empty list has all of them for the format `event`, and what people want for the others. */
  types: z.array(z.string()),
  format: webhookFormat,
  enabled: z.boolean(),
  /** Why Strongroom itself has disabled it; null unless it has. */
  disabled: z.object({ code: z.string(), message: z.string(), at: utcTime }).nullable(),
  /** Since when nothing was taken; null when the newest delivery was, and before the first. */
  failing_since: utcTime.nullable(),
  /** When the event that waits is sent again; null when none waits, and while the webhook is disabled. */
  next_attempt: utcTime.nullable(),
  /** The delivery of the newest event that was sent; null before the first. */
  last_delivery: deliveryResource.nullable(),
  created: utcTime,
  updated: utcTime,
  version: z.int(),
});
export type WebhookResource = z.infer<typeof webhookResource>;

/** It is told once. Deliveries are signed with it, and somebody who has it can make what looks like one. */
const secret = z.string();

export const webhookResponse = z.object({ webhook: webhookResource });
export const createdWebhookResponse = z.object({ webhook: webhookResource.extend({ secret }) });
export type CreatedWebhook = z.infer<typeof createdWebhookResponse>['webhook'];
export const webhooksResponse = z.object({ webhooks: z.array(webhookResource), links });
/** Until `former_until`, deliveries are signed with the former secret too. */
export const rotatedSecretResponse = z.object({ secret, former_until: utcTime });
export type RotatedSecret = z.infer<typeof rotatedSecretResponse>;

/** What became of one attempt. */
export const webhookAttempt = z.object({
  /** The header `webhook-id` of the request: the id of the event. */
  webhook_id: z.string(),
  delivered: z.boolean(),
  /** The status of the answer; null when there was none. */
  http_status: z.int().nullable(),
  /** Why it was not taken; null when it was. */
  fault: z.object({ code: z.string(), message: z.string() }).nullable(),
  duration_ms: z.int(),
});
export type WebhookAttempt = z.infer<typeof webhookAttempt>;
export const webhookAttemptResponse = z.object({ attempt: webhookAttempt });

export const deliveriesResponse = z.object({ deliveries: z.array(deliveryResource), links });

export const postWebhooks = {
  name: 'postWebhooks',
  rights: ['webhook.create'],
  method: 'POST',
  path: `${accountPath}/webhooks`,
  summary: 'Create a webhook: from now on, events of the account are sent to a URL',
  notes:
    'The answer has the secret, which is not told again. Each delivery is signed with it in the headers webhook-id, webhook-timestamp and webhook-signature of Standard Webhooks. The URL begins with https, and leads to an address that this deployment connects to. It needs a token of the whole account.',
  status: 202,
  request: createWebhookRequest,
  response: createdWebhookResponse,
  // When the request comes again and another secret has been in force for long.
  faults: ['itemNotFound', 'unprocessableEntity'],
  examples: [
    {
      name: 'webhook',
      request: {
        webhook: { name: 'on call', url: 'https://hooks.example.com/backups', types: ['BackupFailed', 'SlotMissed'] },
      },
    },
  ],
} as const satisfies Operation;

export const getWebhooks = {
  name: 'getWebhooks',
  rights: ['webhook.read'],
  method: 'GET',
  path: `${accountPath}/webhooks`,
  summary: 'List the webhooks, by id',
  status: 200,
  response: webhooksResponse,
  query: ['limit', 'marker'],
} as const satisfies Operation;

export const getWebhooksId = {
  name: 'getWebhooksId',
  rights: ['webhook.read'],
  method: 'GET',
  path: `${accountPath}/webhooks/{id}`,
  summary: 'Show a webhook',
  status: 200,
  response: webhookResponse,
} as const satisfies Operation;

export const patchWebhooksId = {
  name: 'patchWebhooksId',
  rights: ['webhook.update'],
  method: 'PATCH',
  path: `${accountPath}/webhooks/{id}`,
  summary: 'Change a webhook, or enable or disable it',
  notes: 'One that is enabled again goes on with the first event that was not delivered to it.',
  status: 202,
  request: updateWebhookRequest,
  faults: ['unprocessableEntity'],
  changes: true,
  examples: [{ name: 'enable', request: { webhook: { enabled: true } } }],
} as const satisfies Operation;

export const deleteWebhooksId = {
  name: 'deleteWebhooksId',
  rights: ['webhook.delete'],
  method: 'DELETE',
  path: `${accountPath}/webhooks/{id}`,
  summary: 'Delete a webhook; nothing is sent to it any more',
  status: 202,
  changes: true,
} as const satisfies Operation;

export const postWebhooksIdSecret = {
  name: 'postWebhooksIdSecret',
  rights: ['webhook.update'],
  method: 'POST',
  path: `${accountPath}/webhooks/{id}/secret`,
  summary: 'Give a webhook a new secret; for a day, deliveries are signed with the former one too',
  status: 202,
  response: rotatedSecretResponse,
  faults: ['unprocessableEntity'],
} as const satisfies Operation;

export const postWebhooksIdTest = {
  name: 'postWebhooksIdTest',
  rights: ['webhook.update'],
  method: 'POST',
  path: `${accountPath}/webhooks/{id}/test`,
  summary: 'Send a webhook an event of the type WebhookTest, and tell how that was answered',
  status: 200,
  response: webhookAttemptResponse,
  faults: ['unprocessableEntity'],
  onlyAsks: true,
} as const satisfies Operation;

export const getWebhooksIdDeliveries = {
  name: 'getWebhooksIdDeliveries',
  rights: ['webhook.read'],
  method: 'GET',
  path: `${accountPath}/webhooks/{id}/deliveries`,
  summary: 'List the newest deliveries to a webhook, those of the newest events first',
  notes: 'The newest thousand of each webhook are kept.',
  status: 200,
  response: deliveriesResponse,
  query: ['limit', 'marker'],
} as const satisfies Operation;

export const postWebhooksIdReplay = {
  name: 'postWebhooksIdReplay',
  rights: ['webhook.update'],
  method: 'POST',
  path: `${accountPath}/webhooks/{id}/replay`,
  summary: 'Send an event of the account to a webhook again, now and once, and tell how that was answered',
  notes: 'The header webhook-id is that of the first delivery. An event that was never sent there can be sent too.',
  status: 200,
  request: replayRequest,
  response: webhookAttemptResponse,
  faults: ['unprocessableEntity'],
  onlyAsks: true,
  examples: [{ name: 'replay', request: { replay: { event_id: exampleId } } }],
} as const satisfies Operation;

export const webhookOperations: readonly Operation[] = [
  postWebhooks,
  getWebhooks,
  getWebhooksId,
  patchWebhooksId,
  deleteWebhooksId,
  postWebhooksIdSecret,
  postWebhooksIdTest,
  getWebhooksIdDeliveries,
  postWebhooksIdReplay,
];
