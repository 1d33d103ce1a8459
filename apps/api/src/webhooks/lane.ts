/**
 * One turn of one webhook: the next events of its account are sent to it, one after the other in the order of the ledger. A turn is short,
 * so that the webhooks of a process take turns. What this process can't read and a newer version can is left to that one.
 */
import { begunBy, type RecordedEvent, streamOf } from '@strongroom/contracts';
import type { SealedOfWebhook, WebhookSecrets } from '@strongroom/credentials';
import { fold, type WebhookDefinition, webhookDecider } from '@strongroom/domain';
import { execute, type Ledger } from '@strongroom/ledger';
import type { Clock, Ids, Logger } from '@strongroom/runtime';
import type { DataSource } from 'typeorm';
import type { WebhookCursor, WebhookCursors } from './cursors.js';
import type { WebhookDeliveries } from './deliveries.js';
import { isWanted, type Written, writtenEvent } from './formats.js';
import type { countedDeliveries } from './metrics.js';
import { type Next, nextOf, type RetryTimings } from './retries.js';
import type { Message, SendOutcome, WebhookSender } from './sender.js';
import { signedHeaders } from './signature.js';

export interface LaneTimings extends RetryTimings {
  /** The longest that is waited for an answer. */
  answerMs: number;
  /** After this time a turn ends, and the others go first. */
  turnMs: number;
  /** After this time it is looked again whether this version can go on. */
  unreadMs: number;
}

export interface LaneParts {
  dataSource: DataSource;
  ledger: Ledger;
  ids: Ids;
  clock: Clock;
  log: Logger;
  secrets: WebhookSecrets;
  cursors: WebhookCursors;
  deliveries: WebhookDeliveries;
  sender: WebhookSender;
  timings: LaneTimings;
  counted: ReturnType<typeof countedDeliveries>;
  /** A number from 0 to 1. */
  random?: () => number;
}

/** What is read for one turn: so much of it is in memory at most. */
const read = { events: 50, bytes: 262_144 };
const actor = 'strongroom-api';

/** What is sealed of a webhook in force. */
export function boundOf(accountId: string, webhookId: string, { secretId, origin }: WebhookDefinition) {
  return { accountId, webhookId, secretId, origin };
}

/** Those that sign at a time. */
export function secretsAt({ secrets }: Pick<SealedOfWebhook, 'secrets'>, at: Date): SealedOfWebhook['secrets'] {
  return secrets.filter(({ until }) => until === null || new Date(until) > at);
}

export class WebhookLane {
  constructor(private readonly parts: LaneParts) {}

  /** Ends the lease of the webhook in any case but that of an error. */
  async turn(cursor: WebhookCursor, stopping: AbortSignal): Promise<void> {
    const { ledger, cursors, deliveries, secrets } = this.parts;
    const { webhookId, accountId } = cursor;
    const state = fold(webhookDecider, await ledger.readStream(streamOf('webhook', webhookId)));
    if (state.is === 'deleted') return this.forget(webhookId);
    if (state.is === 'absent' || !state.definition.enabled) return void (await cursors.stop(webhookId));
    const { definition } = state;
    const content = await secrets.get(boundOf(accountId, webhookId, definition));
    const { events, end, waitsForNewer } = await this.next(cursor);
    const isDone = await this.sendAll(cursor, { definition, content, events }, stopping);
    if (isDone === 'ended') return;
    if (isDone === 'all' && end !== undefined && !(await cursors.move(webhookId, end, { delivered: false }))) return;
    await deliveries.trim(webhookId);
    await cursors.giveBack(webhookId, waitsForNewer && events.length === 0 ? this.parts.timings.unreadMs : 0);
  }

  /** The next events, up to the first that only a newer version can read. */
  private async next({ accountId, position }: WebhookCursor) {
    const { dataSource, ledger } = this.parts;
    const tails = await ledger.nextOfAccounts(dataSource.manager, new Map([[accountId, position]]), read);
    const tail = tails.get(accountId);
    const newer = tail?.newer[0]?.position;
    const events = (tail?.events ?? []).filter((event) => newer === undefined || event.position < newer);
    return {
      events,
      end: newer === undefined ? tail?.end : events.at(-1)?.position,
      waitsForNewer: newer !== undefined,
    };
  }

  /** @returns `ended` when the lease has ended */
  private async sendAll(
    cursor: WebhookCursor,
    {
      definition,
      content,
      events,
    }: { definition: WebhookDefinition; content: SealedOfWebhook; events: RecordedEvent[] },
    stopping: AbortSignal,
  ): Promise<'all' | 'some' | 'ended'> {
    const { cursors, deliveries, sender, clock, counted, timings, random = Math.random } = this.parts;
    const { webhookId, accountId } = cursor;
    const since = performance.now();
    let { failures, failingMs } = cursor;
    for (const event of events) {
      if (!isWanted(event, definition)) continue;
      if (stopping.aborted || performance.now() - since > timings.turnMs) {
        // What lies before this event is done, whether it was sent or is not for this webhook.
        return (await cursors.move(webhookId, event.position - 1, { delivered: false })) ? 'some' : 'ended';
      }
      const message = signedMessage(accountId, event.id, writtenEvent(definition.format, event), content, clock.now());
      const outcome = await sender.send(message, timings.answerMs, stopping);
      const next = nextOf(outcome, { failures: failures + 1, failingMs, random: random() }, timings);
      counted.inc({ outcome: next.is });
      await deliveries.note(webhookId, event, stateAfter(next), outcome);
      if (next.is === 'again') {
        await cursors.putOff(webhookId, next.inMs);
        return 'ended';
      }
      if (next.is === 'disabled') return this.disable(cursor, next, outcome);
      const delivered = next.is === 'delivered';
      if (!(await cursors.move(webhookId, event.position, { delivered }))) return 'ended';
      failures = 0;
      if (delivered) failingMs = 0;
    }
    return 'all';
  }

  private async disable(
    { webhookId, accountId, failingMs }: WebhookCursor,
    { code, reason }: Extract<Next, { is: 'disabled' }>,
    { status }: SendOutcome,
  ): Promise<'ended'> {
    const { cursors, ids, clock, log } = this.parts;
    const context = begunBy(actor, ids.next());
    const failingSince = new Date(clock.now().getTime() - failingMs).toISOString();
    const target = { id: webhookId, accountId, instanceId: webhookId, context };
    await execute(this.parts, webhookDecider, target, {
      type: 'DisableWebhook',
      webhookId,
      code,
      reason,
      failingSince,
    });
    log.warn({ webhookId, accountId, code, status }, 'a webhook is disabled, because nothing is taken there');
    await cursors.stop(webhookId);
    return 'ended';
  }

  /** Nothing of a deleted webhook is needed. */
  async forget(webhookId: string): Promise<void> {
    const { cursors, deliveries } = this.parts;
    await deliveries.forget(webhookId);
    await cursors.forget(webhookId);
  }
}

function stateAfter(next: Next): 'waiting' | 'delivered' | 'failed' {
  if (next.is === 'delivered') return 'delivered';
  return next.is === 'passed-over' ? 'failed' : 'waiting';
}

export function signedMessage(
  accountId: string,
  id: string,
  { subject, headers, body }: Written,
  content: SealedOfWebhook,
  at: Date,
): Message {
  const secrets = secretsAt(content, at).map(({ secret }) => secret);
  return {
    ...{ accountId, url: new URL(content.url), id, at, subject, body },
    headers: { ...headers, ...signedHeaders({ id, at, body, secrets }) },
  };
}
