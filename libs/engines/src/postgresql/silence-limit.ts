/** How long nothing may come over a connection: after that it is closed, and there is a fault that says why. */
import type { Socket } from 'node:net';
import type { EngineFault } from '../engine-fault.js';

export class SilenceLimit {
  private why: ((seconds: number) => EngineFault) | undefined;
  private closedBy: EngineFault | undefined;

  /** @param socket the innermost, whose own clock begins anew with every byte, be it wrapped in TLS */
  constructor(private readonly socket: Socket) {
    socket.on('timeout', () => {
      this.closedBy = this.why?.(Math.round((socket.timeout ?? 0) / 1_000));
      if (this.closedBy) socket.destroy(this.closedBy);
    });
  }

  /** Why the connection was closed; undefined unless it was by this. */
  get fault(): EngineFault | undefined {
    return this.closedBy;
  }

  /** From now on, in place of what was set before. */
  set(ms: number, why: (seconds: number) => EngineFault): void {
    this.why = why;
    this.socket.setTimeout(ms);
  }

  lift(): void {
    this.socket.setTimeout(0);
  }
}
