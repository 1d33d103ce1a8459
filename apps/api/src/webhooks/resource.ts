/** Webhooks as the API shows them, up to date with every event appended before the call. Nothing secret is in them. */
import { Inject } from '@nestjs/common';
import type { RecordedEvent, WebhookResource } from '@strongroom/contracts';
import { type Page, type PageRequest, Views, type WebhookRow, Webhooks, webhookView } from '@strongroom/read-model';
import { type Caller, mustReachAll, type Reach } from '../edge/caller.js';
import { notFound } from '../edge/http-fault.js';
import { madeRow } from '../edge/made.js';
import { utc, utcOrNull } from '../edge/times.js';
import { WebhookCursors } from './cursors.js';
import { WebhookDeliveries } from './deliveries.js';

/** How the deliveries of a webhook go. */
type Progress = Pick<WebhookResource, 'failing_since' | 'next_attempt' | 'last_delivery'>;

export class WebhookResources {
  constructor(
    @Inject(Views) private readonly views: Views,
    @Inject(Webhooks) private readonly webhooks: Webhooks,
    @Inject(WebhookCursors) private readonly cursors: WebhookCursors,
    @Inject(WebhookDeliveries) private readonly deliveries: WebhookDeliveries,
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
    return { items: await this.withProgress(items), more };
  }

  async show(row: WebhookRow): Promise<WebhookResource> {
    const [shown = webhookResource(row)] = await this.withProgress([row]);
    return shown;
  }

  private async withProgress(rows: readonly WebhookRow[]): Promise<WebhookResource[]> {
    const ids = rows.map(({ id }) => id);
    const [troubles, newest] = await Promise.all([this.cursors.troubleOf(ids), this.deliveries.newestOf(ids)]);
    return rows.map((row) => {
      const { failingSince = null, nextAttempt = null } = troubles.get(row.id) ?? {};
      return webhookResource(row, {
        failing_since: utcOrNull(failingSince),
        next_attempt: utcOrNull(nextAttempt),
        last_delivery: newest.get(row.id) ?? null,
      });
    });
  }
}

/** A new webhook, as the events that made it say. */
export function madeWebhook(events: readonly RecordedEvent[]): WebhookResource {
  return webhookResource(madeRow(webhookView, events));
}

/** What nothing was sent to yet. */
const notBegun: Progress = { failing_since: null, next_attempt: null, last_delivery: null };

function webhookResource(row: WebhookRow, progress = notBegun): WebhookResource {
  const { id, name, origin, types, format, enabled, disabled, createdAt, updatedAt, version } = row;
  return {
    ...{ id, name, url_origin: origin, types, format, enabled },
    disabled: disabled && { code: disabled.code, message: disabled.reason, at: disabled.at },
    ...progress,
    // What still waits of a webhook that is disabled waits for people.
    ...(!enabled && { next_attempt: null }),
    ...{ created: utc(createdAt), updated: utc(updatedAt), version },
  };
}
