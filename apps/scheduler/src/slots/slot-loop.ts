/** Has the due slots decided once a second, and measures it. */
import type { Logger, Metrics } from '@strongroom/runtime';
import { WorkLoop } from '@strongroom/runtime';
import type { DataSource } from 'typeorm';
import type { SlotDispatcher } from './slot-dispatcher.js';
import { overdueMs } from './slot-timers.js';

const intervalMs = 1_000;

export function slotLoop(
  dispatcher: SlotDispatcher,
  { dataSource, metrics, log }: { dataSource: DataSource; metrics: Metrics; log: Logger },
): WorkLoop {
  const slots = metrics.counter({
    name: 'strongroom_slots_total',
    help: 'Slots decided by this process, by outcome.',
    labels: ['outcome'],
  });
  const lag = metrics.histogram({
    name: 'strongroom_slot_lag_seconds',
    help: 'From the nominal time of a slot to the event that begins its backup; the greatest of each pass.',
    buckets: [0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 3_600],
  });
  metrics.gauge({
    name: 'strongroom_slot_overdue_seconds',
    help: 'How long the slot that is due longest has been waiting to be decided; 0 when none is due.',
    measure: async (gauge) => gauge.set((await overdueMs(dataSource.manager)) / 1_000),
  });
  metrics.gauge({
    name: 'strongroom_schedules_held_back',
    help: 'Schedules with due slots that this process cannot judge: something in their history is unreadable, or the clocks contradict each other.',
    measure: (gauge) => gauge.set(dispatcher.heldBack),
  });
  return new WorkLoop({
    name: 'slot dispatcher',
    intervalMs,
    log,
    pass: async (signal, moved) => {
      const { fired, skipped, missed, lagMs } = await dispatcher.decideDue(signal, moved);
      slots.inc({ outcome: 'fired' }, fired);
      slots.inc({ outcome: 'skipped' }, skipped);
      slots.inc({ outcome: 'missed' }, missed);
      if (fired > 0) lag.observe(lagMs / 1_000);
    },
  });
}
