import { describe, expect, it } from '@jest/globals';
import type { NewEvent } from '@strongroom/contracts';
import { account, given } from './given.js';
import { type WebhookDefinition, webhookDecider } from './webhook.js';

const webhookId = '5c3e2b6e-8d57-4b6e-9d35-0f0c2c9b3c11';
const secretId = 'a1a7c1a0-6f0e-4d7c-8a8a-1c5d6c7f9e21';
const definition: WebhookDefinition = {
  name: 'chat',
  origin: 'https://hooks.example.com',
  types: ['BackupFailed'],
  format: 'event',
  enabled: true,
  secretId,
};
const created: NewEvent = { type: 'WebhookCreated', data: { webhookId, ...definition } };
const disabling = {
  type: 'DisableWebhook',
  ...{ webhookId, code: 'failing', reason: 'nobody answers', failingSince: '2026-11-01T00:00:00.000Z' },
} as const;
const disabled: NewEvent = {
  type: 'WebhookDisabled',
  data: { webhookId, code: 'failing', reason: 'nobody answers', failingSince: '2026-11-01T00:00:00.000Z' },
};
const of = { accountId: account, webhookId };

describe('a webhook', () => {
  it('is made with its whole definition, and counts among those of the account', () => {
    const { decision } = given(webhookDecider).when({ type: 'CreateWebhook', ...of, definition, mostWebhooks: 3 });
    expect(decision).toEqual({
      events: [created],
      quotas: [{ kind: 'webhooks-of-account', key: account, by: 1, most: 3 }],
    });
  });

  it('is changed as a whole, and a change of nothing is refused', () => {
    const update = (changes: Partial<WebhookDefinition>) =>
      given(webhookDecider, [created]).when({ type: 'UpdateWebhook', ...of, changes }).gives;
    expect(update({ types: [] })).toEqual([{ type: 'WebhookUpdated', data: { webhookId, ...definition, types: [] } }]);
    expect(update({ types: ['BackupFailed'], enabled: true })).toBe('webhook-unchanged');
  });

  it('is not there for another account, nor when it was deleted', () => {
    const deleted: NewEvent = { type: 'WebhookDeleted', data: { webhookId } };
    const remove = (events: NewEvent[], accountId: string) =>
      given(webhookDecider, events).when({ type: 'DeleteWebhook', accountId, webhookId }).gives;
    expect(remove([created], account)).toEqual([deleted]);
    expect(remove([created], 'other')).toBe('webhook-unknown');
    expect(remove([created, deleted], account)).toBe('webhook-unknown');
  });

  it('is disabled once, and is enabled again by a change', () => {
    expect(given(webhookDecider, [created]).when(disabling).gives).toEqual([disabled]);
    expect(given(webhookDecider, [created, disabled]).when(disabling).gives).toEqual([]);
    const { gives } = given(webhookDecider, [created, disabled]).when({
      type: 'UpdateWebhook',
      ...of,
      changes: { enabled: true },
    });
    expect(gives).toEqual([{ type: 'WebhookUpdated', data: { webhookId, ...definition } }]);
  });

  it('has its new secret from the rotation on', () => {
    const rotated: NewEvent = {
      type: 'WebhookSecretRotated',
      data: { webhookId, secretId: webhookId, formerUntil: '2026-11-02T00:00:00.000Z' },
    };
    expect(given(webhookDecider, [created, rotated]).state).toMatchObject({ definition: { secretId: webhookId } });
  });
});
