/** How the events of a webhook are told. */
import type { ReasonsOf } from './reason.js';

export const reasonsOfWebhooks: ReasonsOf<'webhook'> = {
  WebhookCreated: [
    {
      reason: 'webhook-created-disabled',
      sentence: '{actor} made the webhook {name} to {origin}, to which nothing is sent until it is enabled.',
      holds: ({ enabled }) => !enabled,
    },
    { reason: 'webhook-created', sentence: '{actor} made the webhook {name}: events are sent to {origin}.' },
  ],
  WebhookUpdated: [
    {
      reason: 'webhook-changed-disabled',
      sentence: '{actor} changed the webhook {name}, and nothing is sent to {origin} from then on.',
      holds: ({ enabled }) => !enabled,
    },
    { reason: 'webhook-changed', sentence: '{actor} changed the webhook {name}: events are sent to {origin}.' },
  ],
  WebhookSecretRotated: [
    {
      reason: 'webhook-secret-rotated',
      sentence:
        '{actor} gave the webhook a new secret. Deliveries are signed with the former one too until {formerUntil}.',
    },
  ],
  WebhookDisabled: [
    {
      reason: 'webhook-disabled',
      sentence:
        'Nothing is sent to the webhook any more, because nothing was taken there since {failingSince} ({code}). {reason} Backups go on without it.',
    },
  ],
  WebhookDeleted: [{ reason: 'webhook-deleted', sentence: '{actor} deleted the webhook.' }],
};
