/** A webhook has the events of its account sent to a URL. What is secret of it is sealed elsewhere, under the id that its events name. */
import { type EventData, refuse } from '@strongroom/contracts';
import type { Decider, Quota } from './decider.js';
import { storable } from './reason.js';

export type WebhookDefinition = Omit<EventData<'WebhookCreated'>, 'webhookId'>;

export type WebhookState =
  | { is: 'absent' }
  | { is: 'there'; accountId: string; definition: WebhookDefinition }
  | { is: 'deleted'; accountId: string };

export type WebhookCommand =
  | {
      type: 'CreateWebhook';
      accountId: string;
      webhookId: string;
      definition: WebhookDefinition;
      /** How many webhooks the account may have. */
      mostWebhooks: number;
    }
  | { type: 'UpdateWebhook'; accountId: string; webhookId: string; changes: Partial<WebhookDefinition> }
  | { type: 'RotateWebhookSecret'; accountId: string; webhookId: string; secretId: string; formerUntil: string }
  | { type: 'DisableWebhook'; webhookId: string; code: string; reason: string; failingSince: string }
  | { type: 'DeleteWebhook'; accountId: string; webhookId: string };

export function webhookUnknown(webhookId: string) {
  return refuse('webhook-unknown', `Webhook ${webhookId} was not found in this account.`);
}

export const webhookDecider: Decider<'webhook', WebhookState, WebhookCommand> = {
  aggregate: 'webhook',
  initial: { is: 'absent' },
  decide: {
    CreateWebhook({ accountId, webhookId, definition, mostWebhooks }) {
      return {
        events: [{ type: 'WebhookCreated', data: { webhookId, ...definition } }],
        quotas: counted(accountId, 1, mostWebhooks),
      };
    },
    UpdateWebhook({ accountId, webhookId, changes }, state) {
      if (state.is !== 'there' || state.accountId !== accountId) return webhookUnknown(webhookId);
      const definition = { ...state.definition, ...changes };
      if (isSame(definition, state.definition)) {
        return refuse('webhook-unchanged', `Webhook ${webhookId} is already as asked: the update changes nothing.`);
      }
      return { events: [{ type: 'WebhookUpdated', data: { webhookId, ...definition } }] };
    },
    RotateWebhookSecret({ accountId, webhookId, secretId, formerUntil }, state) {
      if (state.is !== 'there' || state.accountId !== accountId) return webhookUnknown(webhookId);
      return { events: [{ type: 'WebhookSecretRotated', data: { webhookId, secretId, formerUntil } }] };
    },
    DisableWebhook({ webhookId, code, reason, failingSince }, state) {
      // Somebody may have disabled or deleted it meanwhile.
      if (state.is !== 'there' || !state.definition.enabled) return { events: [] };
      const data = { webhookId, code, reason: storable(reason), failingSince };
      return { events: [{ type: 'WebhookDisabled', data }] };
    },
    DeleteWebhook({ accountId, webhookId }, state) {
      if (state.is !== 'there' || state.accountId !== accountId) return webhookUnknown(webhookId);
      return { events: [{ type: 'WebhookDeleted', data: { webhookId } }], quotas: counted(accountId, -1) };
    },
  },
  evolve: {
    WebhookCreated: (_, { accountId, data: { webhookId: __, ...definition } }) => ({
      is: 'there',
      accountId,
      definition,
    }),
    WebhookUpdated: (_, { accountId, data: { webhookId: __, ...definition } }) => ({
      is: 'there',
      accountId,
      definition,
    }),
    WebhookSecretRotated: (state, { data: { secretId } }) => changed(state, { secretId }),
    WebhookDisabled: (state) => changed(state, { enabled: false }),
    WebhookDeleted: (_, { accountId }) => ({ is: 'deleted', accountId }),
  },
  claimed: {},
  usedUp: {
    'webhooks-of-account': (_, most) =>
      refuse(
        'webhook-quota-reached',
        `The account has ${most} webhooks, and may not have more. Delete one that is not needed, or ask the operator for more.`,
      ),
  },
};

function counted(accountId: string, by: 1 | -1, most = 0): Quota[] {
  return [{ kind: 'webhooks-of-account', key: accountId, by, most }];
}

function changed(state: WebhookState, changes: Partial<WebhookDefinition>): WebhookState {
  return state.is === 'there' ? { ...state, definition: { ...state.definition, ...changes } } : state;
}

function isSame({ types: one, ...a }: WebhookDefinition, { types: other, ...b }: WebhookDefinition): boolean {
  const isAlike = one.length === other.length && one.every((type, index) => type === other[index]);
  const keys = Object.keys(a) as (keyof typeof a)[];
  return isAlike && keys.every((key) => a[key] === b[key]);
}
