/**
 * Has due slots decided, and measures it. It sleeps until the next timer rings, and asks the database nothing meanwhile but for a look
 * now and then: somebody may have changed the timers, or a clock may be wrong.
 */
import type { Logger, Metrics } from '@strongroom/runtime';
import { WorkLoop } from '@strongroom/runtime';
import type { DataSource } from 'typeorm';
import type { SlotAlarm } from './slot-alarm.js';
import type { SlotDispatcher } from './slot-dispatcher.js';
import { overdueMs } from './slot-timers.js';

/** The longest sleep. It varies by a fifth, so that processes do not look in step. */
const longestMs = 5_000;

export function slotLoop(
  dispatcher: SlotDispatcher,
  {
    dataSource,
    metrics,
    log,
    slotAlarm,
  }: { dataSource: DataSource; metrics: Metrics; log: Logger; slotAlarm: SlotAlarm },
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
  const loop = new WorkLoop({
    name: 'slot dispatcher',
    intervalMs: longestMs,
    log,
    pass: async (signal, moved) => {
      const { fired, skipped, missed, lagMs } = await dispatcher.decideDue(signal, moved);
      slots.inc({ outcome: 'fired' }, fired);
      slots.inc({ outcome: 'skipped' }, skipped);
      slots.inc({ outcome: 'missed' }, missed);
      if (fired > 0) lag.observe(lagMs / 1_000);
      const longest = longestMs * (0.9 + 0.2 * Math.random());
      return { nextInMs: Math.min(await dispatcher.nextInMs(), slotAlarm.inMs(), longest) };
    },
  });
  slotAlarm.onSet(() => loop.wake());
  return loop;
}
