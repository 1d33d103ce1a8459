/**
 * Closes a connection over which nothing has come for too long, or whose answer is not whole in time, and keeps the fault that
 * says why. A server that sends a byte now and then is never silent, so an answer has a time of its own.
 */
import type { Socket } from 'node:net';
import type { EngineFault } from '../engine-fault.js';

/** How long nothing may come, in milliseconds, before the connection is given up. */
export interface Patience {
  /** Before the first archive, while the server makes a checkpoint and estimates its size: all of that time. */
  beginMs: number;
  /** After that, as long as somebody reads; and from the last archive to the end, all of that time. */
  stallMs: number;
  /** While nobody reads. All that time the server keeps its WAL for us. */
  heldMs: number;
}

type Why = (seconds: number) => EngineFault;

export class SilenceLimit {
  private why: Why | undefined;
  private closedBy: EngineFault | undefined;
  private timer: NodeJS.Timeout | undefined;

  /** @param socket the innermost one: its timer begins anew with every byte, also beneath TLS */
  constructor(private readonly socket: Socket) {
    socket.on('timeout', () => this.close(this.why, socket.timeout ?? 0));
    socket.once('close', () => clearTimeout(this.timer));
  }

  /** Why this has closed the connection. Undefined when it has not. */
  get fault(): EngineFault | undefined {
    return this.closedBy;
  }

  /** Limits the silence from now on, in place of the limit before. */
  set(ms: number, why: Why): void {
    this.lift();
    this.why = why;
    this.socket.setTimeout(ms);
  }

  /** Limits all of the time from now on, in place of the limit before. */
  within(ms: number, why: Why): void {
    this.lift();
    if (!this.socket.destroyed) this.timer = setTimeout(() => this.close(why, ms), ms);
  }

  lift(): void {
    clearTimeout(this.timer);
    this.socket.setTimeout(0);
  }

  private close(why: Why | undefined, ms: number): void {
    this.closedBy ??= why?.(Math.round(ms / 1_000));
    if (this.closedBy) this.socket.destroy(this.closedBy);
  }
}
