/** The calls on webhooks, each with the resource as its result. All throw an `ApiFault`. */
import {
  type CreatedWebhook,
  type DeliveryResource,
  deleteWebhooksId,
  getWebhooks,
  getWebhooksId,
  getWebhooksIdDeliveries,
  patchWebhooksId,
  postWebhooks,
  postWebhooksIdReplay,
  postWebhooksIdSecret,
  postWebhooksIdTest,
  type RotatedSecret,
  type WebhookAttempt,
  type WebhookResource,
} from '@strongroom/contracts';
import type { BodyOf, CallOptions, QueryOf } from './call.js';
import type { OperationCaller } from './operation-caller.js';

export class WebhookCalls {
  constructor(private readonly caller: OperationCaller) {}

  /** The result has the secret, which is not told again. */
  async create(webhook: BodyOf<typeof postWebhooks>['webhook'], options: CallOptions = {}): Promise<CreatedWebhook> {
    return (await this.caller.call(postWebhooks, { ...options, body: { webhook } })).body.webhook;
  }

  async get(id: string, options: CallOptions = {}): Promise<WebhookResource> {
    return (await this.caller.call(getWebhooksId, { ...options, id })).body.webhook;
  }

  /** All of them, by id, read page by page. */
  async *list(query: QueryOf<typeof getWebhooks> = {}, options: CallOptions = {}): AsyncGenerator<WebhookResource> {
    for await (const page of this.caller.pages(getWebhooks, { ...options, query })) yield* page.webhooks;
  }

  async update(
    id: string,
    webhook: BodyOf<typeof patchWebhooksId>['webhook'],
    options: CallOptions = {},
  ): Promise<void> {
    await this.caller.call(patchWebhooksId, { ...options, id, body: { webhook } });
  }

  async delete(id: string, options: CallOptions = {}): Promise<void> {
    await this.caller.call(deleteWebhooksId, { ...options, id });
  }

  /** For a day, deliveries are signed with the former secret too. */
  async rotate(id: string, options: CallOptions = {}): Promise<RotatedSecret> {
    return (await this.caller.call(postWebhooksIdSecret, { ...options, id })).body;
  }

  /** Sends an event of the type WebhookTest. That nobody takes it is a result. */
  async test(id: string, options: CallOptions = {}): Promise<WebhookAttempt> {
    return (await this.caller.call(postWebhooksIdTest, { ...options, id })).body.attempt;
  }

  /** The newest deliveries, those of the newest events first, read page by page. */
  async *deliveries(
    id: string,
    query: QueryOf<typeof getWebhooksIdDeliveries> = {},
    options: CallOptions = {},
  ): AsyncGenerator<DeliveryResource> {
    for await (const page of this.caller.pages(getWebhooksIdDeliveries, { ...options, id, query }))
      yield* page.deliveries;
  }

  /** Sends an event of the account now, and once. That nobody takes it is a result. */
  async replay(id: string, eventId: string, options: CallOptions = {}): Promise<WebhookAttempt> {
    const body = { replay: { event_id: eventId } };
    return (await this.caller.call(postWebhooksIdReplay, { ...options, id, body })).body.attempt;
  }
}
