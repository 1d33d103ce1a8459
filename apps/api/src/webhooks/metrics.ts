/** What operators watch of webhooks. A webhook that fails is a fault of who is told, and of no backup: nothing else counts it. */
import type { Metrics } from '@strongroom/runtime';
import type { WebhookCursors } from './cursors.js';

export function countedDeliveries(metrics: Metrics) {
  const counted = metrics.counter({
    name: 'strongroom_webhook_attempts_total',
    help: 'Attempts of this process to deliver an event to a webhook, by what became of them: delivered, again, passed-over or disabled.',
    labels: ['outcome'],
  });
  for (const outcome of ['delivered', 'again', 'passed-over', 'disabled']) counted.inc({ outcome }, 0);
  return counted;
}

export function measureFailing(metrics: Metrics, cursors: Pick<WebhookCursors, 'longestFailing'>): void {
  metrics.gauge({
    name: 'strongroom_webhook_failing_seconds',
    help: 'For how long the webhook that has failed for the longest has taken nothing, of all accounts; 0 when none fails.',
    measure: async (gauge) => gauge.set(await cursors.longestFailing()),
  });
}
