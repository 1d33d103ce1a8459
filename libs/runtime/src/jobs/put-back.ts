/** Counts and logs what was missing and was put back: each is a trace of something that was lost. */
import type { Logger } from '../log.js';
import type { Metrics } from '../metrics.js';

export class PutBack {
  private readonly counter;

  constructor(
    metrics: Metrics,
    private readonly log: Logger,
  ) {
    this.counter = metrics.counter({
      name: 'strongroom_missing_work_total',
      help: 'Jobs and timers that should have been there and were put back by this process, by kind.',
      labels: ['kind'],
    });
  }

  tell(kind: string, id: string): void {
    this.counter.inc({ kind });
    this.log.warn({ kind, id }, 'missing work put back: the message that it follows from was lost or set aside');
  }
}
