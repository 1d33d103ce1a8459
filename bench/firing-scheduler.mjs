/**
 * The part of a scheduler that decides slots, in a process of its own for `firing.mjs`: the dispatcher of the service, with its clock. It
 * takes no backups and folds no views. `go` decides all that is due; `serve` does it in its own time, as the service does.
 */
import {
  bootOfHost,
  DatabaseDueClock,
  SteadyDueClock,
  uptimeOfHostMs,
} from '../dist/apps/scheduler/src/slots/due-clock.js';
import { SlotAlarm } from '../dist/apps/scheduler/src/slots/slot-alarm.js';
import { SlotDispatcher } from '../dist/apps/scheduler/src/slots/slot-dispatcher.js';
import { slotLoop } from '../dist/apps/scheduler/src/slots/slot-loop.js';
import { createDataSource } from '../dist/libs/database/src/index.js';
import { Ledger } from '../dist/libs/ledger/src/index.js';
import { Views, viewTables } from '../dist/libs/read-model/src/index.js';
import { createLogger, Metrics, RandomIds, SystemClock } from '../dist/libs/runtime/src/index.js';
import { serve } from './peers/firing/peer.mjs';

const catchUpMs = 12 * 3_600_000;

await serve(async ({ url, boot }) => {
  const log = createLogger({ app: 'bench', level: 'info' });
  const metrics = new Metrics();
  const options = { url, applicationName: 'bench-scheduler', entities: viewTables };
  const dataSource = await createDataSource(options).initialize();
  const ledger = new Ledger(dataSource);
  const clock = new SteadyDueClock({
    database: new DatabaseDueClock(),
    process: new SystemClock(),
    uptimeMs: uptimeOfHostMs,
    boot: boot ?? bootOfHost(),
    catchUpMs,
    metrics,
    log,
  });
  const views = new Views(dataSource, ledger);
  const dispatcher = new SlotDispatcher(dataSource, ledger, views, new RandomIds(), clock, log, catchUpMs);
  const loop = slotLoop(dispatcher, { dataSource, metrics, log, slotAlarm: new SlotAlarm() });
  return {
    /** Nothing is due: the connections are up afterwards, and the clock knows the time. */
    async warm() {
      await dispatcher.decideDue();
    },
    async go() {
      const begunAt = performance.now();
      const { fired, skipped, missed } = await dispatcher.decideDue();
      return { ms: performance.now() - begunAt, fired, skipped, missed };
    },
    async serve() {
      loop.start();
    },
    async close() {
      await loop.stop();
      await dataSource.destroy();
    },
  };
});
