/**
 * Delivers events to webhooks: so many at a time in this process, each in a lane of its own, and the accounts take turns. The events are
 * on disk before, so nothing waits for it but the webhooks themselves.
 */
import type { BeforeApplicationShutdown, OnApplicationBootstrap } from '@nestjs/common';
import { messageOf, streamOf } from '@strongroom/contracts';
import { isOutage } from '@strongroom/ledger';
import type { Webhooks } from '@strongroom/read-model';
import { type Logger, WorkLoop } from '@strongroom/runtime';
import type { WebhookCursor } from './cursors.js';
import { type LaneParts, type LaneTimings, WebhookLane } from './lane.js';
import { usualRetries } from './retries.js';
import { tidySecrets } from './tidy-secrets.js';

export interface WorkTimings extends LaneTimings {
  /** So often it is looked whether there is something to send. */
  lookMs: number;
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
  ...{ lookMs: 1_000, findMs: 10_000, tidyMs: 600_000, brokenMs: 60_000 },
};

/** A lease is longer than the longest time between two of its renewals: a send, and some statements. */
export const leaseMs = 60_000;
const mostLanes = 32;
const mostLanesOfAccount = 4;
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

  constructor(private readonly parts: WorkParts) {
    const { log, timings } = parts;
    this.log = log;
    this.lane = new WebhookLane(parts);
    this.loops = [
      new WorkLoop({ name: 'delivering to webhooks', intervalMs: timings.lookMs, log, pass: () => this.deliver() }),
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
  }

  /** A request that is under way is broken off. Its event is sent again by the next process. */
  async beforeApplicationShutdown(): Promise<void> {
    this.stopping.abort(new Error('the process stops'));
    await Promise.all(this.loops.map((loop) => loop.stop()));
    await Promise.all(this.turns.keys());
  }

  private async deliver(): Promise<void> {
    const free = mostLanes - this.turns.size;
    if (free <= 0 || this.stopping.signal.aborted) return;
    const taken = await this.parts.cursors.take(free, mostLanesOfAccount, this.fullAccounts());
    for (const cursor of taken) {
      const turn = this.turn(cursor).finally(() => {
        this.turns.delete(turn);
        this.loops[0]?.wake();
      });
      this.turns.set(turn, cursor.accountId);
    }
  }

  private fullAccounts(): string[] {
    const counts = new Map<string, number>();
    for (const account of this.turns.values()) counts.set(account, (counts.get(account) ?? 0) + 1);
    return [...counts].filter(([, count]) => count >= mostLanesOfAccount).map(([account]) => account);
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
      if (begun.length > 0) await cursors.begin(begun);
      if (rows.length < atOnce) break;
      after = rows.at(-1)?.id;
    }
    for (let after: string | undefined; ; ) {
      const ids = await cursors.stopped(after, atOnce);
      const newest = await ledger.newestOfStreams(ids.map((id) => streamOf('webhook', id)));
      for (const id of ids) {
        if (newest.get(streamOf('webhook', id))?.type === 'WebhookDeleted') await this.lane.forget(id);
      }
      if (ids.length < atOnce) break;
      after = ids.at(-1);
    }
  }
}
