/** What the screens say of webhooks and of what was sent to them. */
import type { DeliveryResource, WebhookFormat, WebhookResource } from '@strongroom/contracts';
import type { Tone } from './parts/mark.js';

/** Deliveries are no events, so what became of them is asked for again after this time. */
export const webhooksEveryMs = 5_000;

export const formatWords: Readonly<Record<WebhookFormat, string>> = {
  event: 'events in JSON',
  slack: 'messages for Slack',
  teams: 'messages for Teams',
  ntfy: 'messages for ntfy',
  email: 'mail',
};

export const deliveryWords: Readonly<Record<DeliveryResource['state'], [Tone, string]>> = {
  delivered: ['good', 'Delivered'],
  waiting: ['busy', 'Waits'],
  failed: ['bad', 'Passed over'],
};

export interface Standing {
  tone: Tone;
  word: string;
  /** The beginning of it; null when that is not told. */
  since: string | null;
  why: string | null;
}

/** How a webhook stands: it is sent to, it waits for the URL or passes events over, or it is not sent to. */
export function standingOf(webhook: WebhookResource): Standing {
  const { enabled, disabled, failing_since: since, next_attempt, last_delivery: last } = webhook;
  if (disabled) return { tone: 'bad', word: 'Disabled', since: disabled.at, why: disabled.message };
  if (!enabled) return { tone: 'warning', word: 'Paused', since: null, why: null };
  const why = last?.fault?.message ?? null;
  if (next_attempt !== null) return { tone: 'warning', word: 'Waiting', since, why };
  // What was replayed since may have been taken.
  if (since !== null && last?.state === 'failed') return { tone: 'bad', word: 'Passing over', since, why };
  return { tone: 'good', word: 'Sending', since: null, why: null };
}

/** How an attempt was answered: `204 in 12 ms`. */
export function answerOf({
  http_status,
  fault,
  duration_ms,
}: Pick<DeliveryResource, 'http_status' | 'fault' | 'duration_ms'>): string {
  const answer = http_status === null ? 'No answer' : String(http_status);
  return `${answer} in ${duration_ms} ms${fault ? `: ${fault.message}` : ''}`;
}

/** Which events are sent. */
export function typesOf({ types, format }: Pick<WebhookResource, 'types' | 'format'>): string {
  if (types.length > 0) return types.join(', ');
  return format === 'event' ? 'all' : 'what fails, is late or is lost';
}
