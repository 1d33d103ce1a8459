/**
 * Replays the dead letters of a group that an operator has marked, and forgets those of long ago. A mark is told as an append is. While
 * appends follow each other, letters are looked for every few seconds.
 */
import type { Ledger } from '@strongroom/ledger';
import { type Logger, WorkLoop } from '@strongroom/runtime';
import type { DeadLetters } from './dead-letters.js';
import type { Handlers } from './handlers.js';

const seldomMs = 600_000;
const gapMs = 5_000;

export class LetterReplay {
  private readonly loop: WorkLoop;
  private lookedAt = Number.NEGATIVE_INFINITY;
  private soon: NodeJS.Timeout | undefined;
  private stopNotices: (() => Promise<void>) | undefined;

  constructor(private readonly parts: { ledger: Ledger; log: Logger; handlers: Handlers; deadLetters: DeadLetters }) {
    const { ledger, log, handlers, deadLetters } = parts;
    this.loop = new WorkLoop({
      name: 'replay of dead letters',
      intervalMs: seldomMs,
      log,
      pass: () => {
        this.lookedAt = performance.now();
        return deadLetters.tend(handlers, ledger);
      },
    });
  }

  async start(): Promise<void> {
    this.loop.start();
    this.stopNotices = await this.parts.ledger.onAppend(() => this.look());
  }

  probe(): Promise<void> {
    return this.loop.probe();
  }

  async stop(): Promise<void> {
    await this.stopNotices?.();
    clearTimeout(this.soon);
    await this.loop.stop();
  }

  private look(): void {
    this.soon ??= setTimeout(
      () => {
        this.soon = undefined;
        this.loop.wake();
      },
      Math.max(0, gapMs - (performance.now() - this.lookedAt)),
    );
  }
}
