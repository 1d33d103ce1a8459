/** What the gateway does for the audit by itself: it writes down refusals and what is in force, exports, and forgets what is old. */
import type { BeforeApplicationShutdown, OnApplicationBootstrap } from '@nestjs/common';
import { messageOf } from '@strongroom/contracts';
import type { AuditTrail } from '@strongroom/ledger';
import { type Clock, type Logger, WorkLoop } from '@strongroom/runtime';
import type { Refusals } from '../edge/refusals.js';
import type { AuditExport } from './export.js';
import type { InForce } from './in-force.js';

const oftenMs = 1_000;
const seldomMs = 600_000;
const atOnce = 1_000;
const dayMs = 86_400_000;

export interface AuditWorkParts {
  trail: AuditTrail;
  refusals: Refusals;
  inForce: InForce;
  /** One for each place where the audit is written besides. */
  exports: readonly AuditExport[];
  keptDays: number;
  clock: Clock;
  log: Logger;
}

export class AuditWork implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly loops: WorkLoop[];

  constructor(private readonly parts: AuditWorkParts) {
    const { trail, refusals, inForce, exports, keptDays, clock, log } = parts;
    const often = { intervalMs: oftenMs, log };
    this.loops = [
      new WorkLoop({ name: 'auditing refused requests', ...often, pass: () => refusals.flush() }),
      new WorkLoop({ name: 'auditing rights and keys', ...often, pass: () => inForce.tell() }),
      new WorkLoop({
        name: 'forgetting old entries of the audit',
        intervalMs: seldomMs,
        log,
        pass: async () => {
          const before = new Date(clock.now().getTime() - keptDays * dayMs);
          return (await trail.forget(before, atOnce)) < atOnce ? 'done' : 'again';
        },
      }),
      ...exports.map(
        (each) => new WorkLoop({ name: `exporting the audit to ${each.to}`, ...often, pass: () => each.some() }),
      ),
    ];
  }

  onApplicationBootstrap(): void {
    for (const loop of this.loops) loop.start();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await Promise.all(this.loops.map((loop) => loop.stop()));
    const { refusals, log } = this.parts;
    await refusals
      .flush(true)
      .catch((error: unknown) =>
        log.warn({ err: error }, `the last refusals are not in the audit: ${messageOf(error)}`),
      );
  }
}
