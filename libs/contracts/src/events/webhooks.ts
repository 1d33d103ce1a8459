/** The events of webhooks. */
import { z } from 'zod';
import { instant, uuid } from '../primitives.js';
import { reason } from './forms.js';

/** How an event is written for who receives it: `event` is the event as the API shows it, and the others are messages for people. */
export const webhookFormat = z.enum(['event', 'slack', 'teams', 'ntfy', 'email']);
export type WebhookFormat = z.infer<typeof webhookFormat>;

const webhookDefinition = {
  name: z.string().min(1).max(255),
  /** The scheme, host and port of its URL. The rest of a URL may be a secret, which no event holds. */
  origin: z.string().min(1).max(300),
  /** The types of events that are sent; empty for those that the format has by default. */
  types: z.array(z.string().min(1).max(64)),
  format: webhookFormat,
  enabled: z.boolean(),
  /** Names what is sealed of it: its URL and its secrets. */
  secretId: uuid,
};

export const webhookEvents = {
  /** From now on the account's events are sent to a URL. */
  WebhookCreated: z.strictObject({ webhookId: uuid, ...webhookDefinition }),
  /** Holds the complete definition that is in force from now on. */
  WebhookUpdated: z.strictObject({ webhookId: uuid, ...webhookDefinition }),
  /** Deliveries are signed with a new secret, and until `formerUntil` with the one before as well. */
  WebhookSecretRotated: z.strictObject({ webhookId: uuid, secretId: uuid, formerUntil: instant }),
  /**
   * Nothing is sent to the webhook any more, because nobody has taken anything there since `failingSince`. When somebody enables it
   * again, it goes on with the event at which it stopped. This says nothing of the account's backups.
   */
  WebhookDisabled: z.strictObject({ webhookId: uuid, code: z.string().min(1), reason, failingSince: instant }),
  /** The webhook is gone. Nothing is sent to it any more. */
  WebhookDeleted: z.strictObject({ webhookId: uuid }),
} as const;
