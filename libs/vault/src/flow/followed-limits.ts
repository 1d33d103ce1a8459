/**
 * Keeps the traffic of a process to the limits that operators set while it runs. They are read at the start, and soon after somebody has
 * appended something or has set a limit: what begins to be transferred was appended before. While nothing happens, they are read once a
 * minute, because an earlier version of `strongroom limits` tells nobody that it has set one.
 */
import type { LimitInForce, Logger, Running, TransferLimits } from '@strongroom/runtime';
import { WorkLoop } from '@strongroom/runtime/light';
import type { Traffic } from './traffic.js';

export interface FollowedLimitsParts {
  limits: Pick<TransferLimits, 'read'>;
  traffic: Pick<Traffic, 'setLimits' | 'setCaps' | 'inForce'>;
  /** Calls `news` soon after appends, and after limits are set, by any process. @returns a function that ends the calls */
  onAppend(news: () => void): Promise<() => Promise<void>>;
  /** Called every few seconds with the limits that are in force. */
  tell?: (limits: readonly LimitInForce[]) => Promise<void>;
  log: Logger;
  timings?: FollowedLimitsTimings;
}

export interface FollowedLimitsTimings {
  /** However much is appended, the limits are read no more often, in milliseconds. */
  leastMs: number;
  /** They are read as often without any news, in milliseconds. */
  mostMs: number;
}

/** An operator who sets a limit sees it count within seconds. */
const usualTimings: FollowedLimitsTimings = { leastMs: 5_000, mostMs: 60_000 };

export class FollowedLimits implements Running {
  private readonly loop: WorkLoop;
  private readonly timings: FollowedLimitsTimings;
  private listening: Promise<() => Promise<void>> | undefined;
  /** How often there was news. */
  private news = 0;
  /** When the limits were read last, and what `news` was then. */
  private last = { at: Number.NEGATIVE_INFINITY, news: 0 };

  constructor(private readonly parts: FollowedLimitsParts) {
    this.timings = parts.timings ?? usualTimings;
    this.loop = new WorkLoop({
      name: 'reading of limits of transfers',
      intervalMs: this.timings.leastMs,
      log: parts.log,
      pass: () => this.pass(),
    });
  }

  start(): void {
    this.listening ??= this.parts.onAppend(() => {
      this.news += 1;
      if (this.restMs() <= 0) this.loop.wake();
    });
    this.loop.start();
  }

  async stop(): Promise<void> {
    await (await this.listening)?.();
    await this.loop.stop();
  }

  /** How long the limits must not be read yet. */
  private restMs(): number {
    return this.last.at + this.timings.leastMs - performance.now();
  }

  private async pass(): Promise<{ nextInMs: number }> {
    const { limits, traffic, tell } = this.parts;
    const { news } = this;
    const isOld = performance.now() - this.last.at >= this.timings.mostMs;
    if (isOld || (news !== this.last.news && this.restMs() <= 0)) {
      const { rates, caps } = await limits.read();
      this.last = { at: performance.now(), news };
      traffic.setLimits(rates);
      traffic.setCaps(caps);
    }
    await tell?.(traffic.inForce());
    const restMs = this.restMs();
    return { nextInMs: restMs > 0 ? restMs : this.timings.leastMs };
  }
}
