/**
 * Every event that Strongroom records. Each has one schema, which gives its type, its parser and its documentation.
 *
 * Events are facts in the past tense. A released event is frozen by `events.lock.json`: adding is free, changing is not. An
 * event holds its whole fact, so that a subscriber needs no further request.
 */
import { backupEvents } from './events/backups.js';
import { copyEvents } from './events/copies.js';
import { deletionEvents } from './events/deletions.js';
import { instanceEvents } from './events/instances.js';
import { scheduleEvents } from './events/schedules.js';
import { webhookEvents } from './events/webhooks.js';

export { type RestoreProof, restoreProof } from './events/backups.js';
export { type Endpoint, endpoint, securedEndpoint } from './events/instances.js';
export { type WebhookFormat, webhookFormat } from './events/webhooks.js';

export const eventSchemas = {
  ...instanceEvents,
  ...scheduleEvents,
  ...backupEvents,
  ...deletionEvents,
  ...copyEvents,
  ...webhookEvents,
} as const;
