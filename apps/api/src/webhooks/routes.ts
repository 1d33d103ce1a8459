/** The routes of webhooks: each parses what it was sent, runs a command, and answers with a resource. */
import { Controller, Inject } from '@nestjs/common';
import {
  createWebhookRequest,
  deleteWebhooksId,
  getWebhooks,
  getWebhooksId,
  getWebhooksIdDeliveries,
  patchWebhooksId,
  postWebhooks,
  postWebhooksIdReplay,
  postWebhooksIdSecret,
  postWebhooksIdTest,
  replayRequest,
  updateWebhookRequest,
} from '@strongroom/contracts';
import type { Asked } from '../edge/asked.js';
import { Paging } from '../edge/paging.js';
import { idInPath, parseBody } from '../edge/parse.js';
import { tagWith } from '../edge/preconditions.js';
import { Handles } from '../edge/routing.js';
import { WebhookCommands } from './commands.js';
import { WebhookDeliveries } from './deliveries.js';
import { WebhookResources } from './resource.js';

const what = 'Webhook';

@Controller()
export class WebhookRoutes {
  constructor(
    @Inject(WebhookCommands) private readonly commands: WebhookCommands,
    @Inject(WebhookResources) private readonly resources: WebhookResources,
    @Inject(WebhookDeliveries) private readonly deliveries: WebhookDeliveries,
    @Inject(Paging) private readonly paging: Paging,
  ) {}

  @Handles(postWebhooks)
  create({ caller, body }: Asked) {
    const { name, url, types = [], format = 'event', enabled = true } = parseBody(createWebhookRequest, body).webhook;
    return this.commands.create(caller, { name, url, types, format, enabled });
  }

  @Handles(getWebhooks)
  list({ caller, request }: Asked) {
    return this.paging.answer(request, 'webhooks', (page) => this.resources.page(caller, page));
  }

  @Handles(getWebhooksId)
  async show({ caller, id, reply }: Asked) {
    const row = await this.resources.find(caller, idInPath(what, id));
    tagWith(reply, row);
    return { webhook: await this.resources.show(row) };
  }

  @Handles(patchWebhooksId)
  change({ caller, id, body, ifMatch }: Asked): Promise<void> {
    const webhookId = idInPath(what, id);
    return this.commands.change(caller, webhookId, parseBody(updateWebhookRequest, body).webhook, ifMatch);
  }

  @Handles(deleteWebhooksId)
  remove({ caller, id, ifMatch }: Asked): Promise<void> {
    return this.commands.remove(caller, idInPath(what, id), ifMatch);
  }

  @Handles(postWebhooksIdSecret)
  rotate({ caller, id }: Asked) {
    return this.commands.rotate(caller, idInPath(what, id));
  }

  @Handles(postWebhooksIdTest)
  async test({ caller, id }: Asked) {
    return { attempt: await this.commands.test(caller, idInPath(what, id)) };
  }

  @Handles(getWebhooksIdDeliveries)
  async listDeliveries({ caller, id, request }: Asked) {
    const { id: webhookId } = await this.resources.find(caller, idInPath(what, id));
    return this.paging.answer(request, 'deliveries', (page) => this.deliveries.page(webhookId, page));
  }

  @Handles(postWebhooksIdReplay)
  async replay({ caller, id, body }: Asked) {
    const { event_id } = parseBody(replayRequest, body).replay;
    return { attempt: await this.commands.replay(caller, idInPath(what, id), event_id) };
  }
}
