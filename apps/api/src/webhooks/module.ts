/** The parts of webhooks: what answers requests, and what delivers. */
import type { Provider } from '@nestjs/common';
import { WebhookSecrets } from '@strongroom/credentials';
import { Reach } from '@strongroom/engines';
import { Ledger } from '@strongroom/ledger';
import { Webhooks } from '@strongroom/read-model';
import type { ConfigOf, RuntimeParts } from '@strongroom/runtime';
import { DataSource } from 'typeorm';
import { WebhookCommands } from './commands.js';
import { WebhookCursors } from './cursors.js';
import { WebhookDeliveries } from './deliveries.js';
import { countedDeliveries, measureFailing } from './metrics.js';
import { WebhookResources } from './resource.js';
import { WebhookSender } from './sender.js';
import { leaseMs, usualTimings, WebhookWork, type WorkTimings } from './webhook-work.js';

/** The token of Nest for how long deliveries wait. */
export const webhookTimingsToken = Symbol('WorkTimings');

export function ofWebhooks({ clock, ids, log, metrics }: RuntimeParts<ConfigOf['api']>): Provider[] {
  return [
    WebhookCommands,
    WebhookResources,
    { provide: webhookTimingsToken, useValue: usualTimings },
    {
      provide: WebhookCursors,
      inject: [DataSource],
      useFactory: (dataSource: DataSource) => new WebhookCursors(dataSource, ids.next(), leaseMs),
    },
    {
      provide: WebhookDeliveries,
      inject: [DataSource],
      useFactory: (dataSource: DataSource) => new WebhookDeliveries(dataSource),
    },
    { provide: WebhookSender, inject: [Reach], useFactory: (reach: Reach) => new WebhookSender(reach) },
    {
      provide: WebhookWork,
      inject: [
        ...[DataSource, Ledger, WebhookSecrets, WebhookCursors, WebhookDeliveries, WebhookSender, Webhooks],
        webhookTimingsToken,
      ],
      useFactory: (
        dataSource: DataSource,
        ledger: Ledger,
        secrets: WebhookSecrets,
        cursors: WebhookCursors,
        deliveries: WebhookDeliveries,
        sender: WebhookSender,
        webhooks: Webhooks,
        timings: WorkTimings,
      ) => {
        const counted = countedDeliveries(metrics);
        measureFailing(metrics, cursors);
        const ofLibraries = { dataSource, ledger, secrets, webhooks, ids, clock, log };
        return new WebhookWork({ ...ofLibraries, cursors, deliveries, sender, timings, counted });
      },
    },
  ];
}
