/**
 * Delivers events to webhooks: so many at a time in this process, each in a lane of its own, and the accounts take turns. The events are
 * on disk before, so nothing waits for it but the webhooks themselves. It looks when something was appended, or is due.
 */
import type { BeforeApplicationShutdown, OnApplicationBootstrap } from '@nestjs/common';
import { messageOf, streamOf } from '@strongroom/contracts';
import { isOutage } from '@strongroom/ledger';
import type { Webhooks } from '@strongroom/read-model';
import { type Logger, WorkLoop } from '@strongroom/runtime';
import { AccountsDue, type LookTimings } from './accounts-due.js';
import type { Begun, WebhookCursor } from './cursors.js';
import { type LaneParts, type LaneTimings, WebhookLane } from './lane.js';
import { usualRetries } from './retries.js';
import { tidySecrets } from './tidy-secrets.js';

export interface WorkTimings extends LaneTimings, LookTimings {
  /** So often it is looked for webhooks that nobody has begun. */
  findMs: number;
  /** So often it is looked for secrets that are not in force, or sealed by a former key. */
  tidyMs: number;
  /** After a turn that broke, its webhook is left alone for so long. */
  brokenMs: number;
}

export const usualTimings: WorkTimings = {
  ...usualRetries,
  ...{ answerMs: 15_000, turnMs: 10_000, unreadMs: 10_000 },
  ...{ lookMs: 1_000, wholeMs: 15_000, findMs: 60_000, tidyMs: 600_000, brokenMs: 60_000 },
};

/** A lease is longer than the longest time between two of its renewals: a send, and some statements. */
export const leaseMs = 60_000;
const mostLanes = 32;
const mostLanesOfAccount = 4;
/** So many accounts are looked at for a lane that is free: most of them have something, and each look costs. */
const accountsOfLane = 4;
const atOnce = 500;

export interface WorkParts extends LaneParts {
  webhooks: Webhooks;
  timings: WorkTimings;
}

export class WebhookWork implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly lane: WebhookLane;
  private readonly loops: WorkLoop[];
  private readonly stopping = new AbortController();
  /** The turns under way, and the account of each. */
  private readonly turns = new Map<Promise<void>, string>();
  private readonly log: Logger;
  private readonly due: AccountsDue;
  private notices: Promise<() => Promise<void>> | undefined;

  constructor(private readonly parts: WorkParts) {
    const { log, timings } = parts;
    this.log = log;
    this.lane = new WebhookLane(parts);
    this.due = new AccountsDue(parts);
    this.loops = [
      new WorkLoop({ name: 'delivering to webhooks', intervalMs: timings.wholeMs, log, pass: () => this.deliver() }),
      new WorkLoop({ name: 'finding webhooks', intervalMs: timings.findMs, log, pass: () => this.find() }),
      new WorkLoop({
        name: 'tidying up the secrets of webhooks',
        intervalMs: timings.tidyMs,
        log,
        pass: () => tidySecrets(parts),
      }),
    ];
  }

  onApplicationBootstrap(): void {
    for (const loop of this.loops) loop.start();
    this.notices ??= this.parts.ledger.onAppend(() => {
      if (this.due.appended()) this.look();
    });
  }

  /** A request that is under way is broken off. Its event is sent again by the next process. */
  async beforeApplicationShutdown(): Promise<void> {
    this.stopping.abort(new Error('the process stops'));
    const end = await this.notices;
    await end?.();
    await Promise.all(this.loops.map((loop) => loop.stop()));
    await Promise.all(this.turns.keys());
  }

  /** Has webhooks delivered to from now on, as `WebhookCursors.begin`. */
  async begin(webhook: Begun): Promise<void> {
    await this.parts.cursors.begin([webhook]);
    this.lookAt(webhook.accountId);
  }

  /** Has what has failed tried again now, as `WebhookCursors.retry`. */
  async retry({ webhookId, accountId }: Pick<Begun, 'webhookId' | 'accountId'>): Promise<void> {
    await this.parts.cursors.retry(webhookId);
    this.lookAt(accountId);
  }

  /** Has the webhook looked at now, as `WebhookCursors.wake`. */
  async wake({ webhookId, accountId }: Pick<Begun, 'webhookId' | 'accountId'>): Promise<void> {
    await this.parts.cursors.wake(webhookId);
    this.lookAt(accountId);
  }

  private lookAt(accountId: string): void {
    this.due.changed(accountId);
    this.look();
  }

  private look(): void {
    this.loops[0]?.wake();
  }

  private async deliver(): Promise<{ nextInMs: number }> {
    const { cursors, timings } = this.parts;
    const free = mostLanes - this.turns.size;
    if (free <= 0 || this.stopping.signal.aborted) return { nextInMs: timings.wholeMs };
    const nextInMs = await this.due.find();
    const accounts = this.due.take(free * accountsOfLane);
    const open = this.openIn(accounts);
    const next = () => (this.due.hasSome ? { nextInMs: 0 } : { nextInMs });
    if (open.size === 0) return next();
    const taken = await cursors.take(free, open).catch((error: unknown) => {
      this.due.putBack(accounts);
      throw error;
    });
    for (const cursor of taken) {
      const { accountId } = cursor;
      const turn = this.turn(cursor).finally(() => {
        this.turns.delete(turn);
        this.lookAt(accountId);
      });
      this.turns.set(turn, accountId);
    }
    if (taken.length < free) return next();
    // The end of a turn wakes the loop.
    this.due.putBack(accounts);
    return { nextInMs };
  }

  /** How many lanes each of the accounts may have beside those that it has. One that has all is looked at when one of them ends. */
  private openIn(accounts: readonly string[]): Map<string, number> {
    const open = new Map(accounts.map((account) => [account, mostLanesOfAccount]));
    for (const account of this.turns.values()) {
      const left = open.get(account);
      if (left !== undefined) open.set(account, left - 1);
    }
    return new Map([...open].filter(([, left]) => left > 0));
  }

  /** Never throws. A lease that can't be given back lapses. */
  private async turn(cursor: WebhookCursor): Promise<void> {
    const { signal } = this.stopping;
    const { cursors, timings } = this.parts;
    const { webhookId, accountId } = cursor;
    try {
      await this.lane.turn(cursor, signal);
    } catch (error) {
      if (!signal.aborted && !isOutage(error)) {
        this.log.warn(
          { webhookId, accountId, err: error },
          `nothing is sent to a webhook for now: ${messageOf(error)}`,
        );
      }
      await cursors.giveBack(webhookId, signal.aborted ? 0 : timings.brokenMs).catch(() => {});
    }
  }

  /** A process may have died between the event of a webhook and its cursor. */
  private async find(): Promise<void> {
    const { webhooks, cursors, ledger } = this.parts;
    for (let after: string | undefined; ; ) {
      const rows = await webhooks.enabled(after, atOnce);
      const begun = rows.map(({ id, accountId, createdPosition }) => ({
        ...{ webhookId: id, accountId, position: createdPosition },
      }));
      if (begun.length > 0) for (const account of await cursors.begin(begun)) this.lookAt(account);
      if (rows.length < atOnce) break;
      after = rows.at(-1)?.id;
    }
    for (let after: string | undefined; ; ) {
      const ids = await cursors.stopped(after, atOnce);
      if (ids.length === 0) break;
      const newest = await ledger.newestOfStreams(ids.map((id) => streamOf('webhook', id)));
      for (const id of ids) {
        if (newest.get(streamOf('webhook', id))?.type === 'WebhookDeleted') await this.lane.forget(id);
      }
      if (ids.length < atOnce) break;
      after = ids.at(-1);
    }
  }
}
