/** Webhooks as the API shows them, up to date with every event appended before the call. Nothing secret is in them. */
import { Inject } from '@nestjs/common';
import type { RecordedEvent, WebhookResource } from '@strongroom/contracts';
import { type Page, type PageRequest, Views, type WebhookRow, Webhooks, webhookView } from '@strongroom/read-model';
import { type Caller, mustReachAll, type Reach } from '../edge/caller.js';
import { notFound } from '../edge/http-fault.js';
import { madeRow } from '../edge/made.js';
import { utc } from '../edge/times.js';

export class WebhookResources {
  constructor(
    @Inject(Views) private readonly views: Views,
    @Inject(Webhooks) private readonly webhooks: Webhooks,
  ) {}

  /** @throws {HttpFault} itemNotFound; forbidden for a token that does not reach the whole account */
  async find(reach: Reach, id: string): Promise<WebhookRow> {
    mustReachAll(reach, 'Webhooks');
    const { accountId } = reach;
    await this.views.catchUp(accountId);
    const row = await this.webhooks.find(accountId, id);
    if (!row) throw notFound('Webhook', id);
    return row;
  }

  async page(caller: Caller, asked: PageRequest): Promise<Page<WebhookResource>> {
    mustReachAll(caller, 'Webhooks');
    await this.views.catchUp(caller.accountId);
    const { items, more } = await this.webhooks.page(caller.accountId, asked);
    return { items: items.map(webhookResource), more };
  }
}

/** A new webhook, as the events that made it say. */
export function madeWebhook(events: readonly RecordedEvent[]): WebhookResource {
  return webhookResource(madeRow(webhookView, events));
}

export function webhookResource(row: WebhookRow): WebhookResource {
  const { id, name, origin, types, format, enabled, disabled, createdAt, updatedAt, version } = row;
  return {
    ...{ id, name, url_origin: origin, types, format, enabled },
    disabled: disabled && { code: disabled.code, message: disabled.reason, at: disabled.at },
    ...{ created: utc(createdAt), updated: utc(updatedAt), version },
  };
}
