/** Closes a connection over which nothing has come for too long, and keeps the fault that says why. */
import type { Socket } from 'node:net';
import type { EngineFault } from '../engine-fault.js';

/** How long nothing may come, in milliseconds, before the connection is given up. */
export interface Patience {
  /** Before the first archive, while the server makes a checkpoint and estimates its size. */
  beginMs: number;
  /** After that, as long as somebody reads. */
  stallMs: number;
  /** While nobody reads. All that time the server keeps its WAL for us. */
  heldMs: number;
}

export class SilenceLimit {
  private why: ((seconds: number) => EngineFault) | undefined;
  private closedBy: EngineFault | undefined;

  /** @param socket the innermost one: its timer begins anew with every byte, also beneath TLS */
  constructor(private readonly socket: Socket) {
    socket.on('timeout', () => {
      this.closedBy = this.why?.(Math.round((socket.timeout ?? 0) / 1_000));
      if (this.closedBy) socket.destroy(this.closedBy);
    });
  }

  /** Why this has closed the connection. Undefined when it has not. */
  get fault(): EngineFault | undefined {
    return this.closedBy;
  }

  /** Sets the limit from now on, in place of the one before. */
  set(ms: number, why: (seconds: number) => EngineFault): void {
    this.why = why;
    this.socket.setTimeout(ms);
  }

  lift(): void {
    this.socket.setTimeout(0);
  }
}
