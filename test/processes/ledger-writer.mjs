/** Appends events to the ledger as fast as it can, by the built code: `node ledger-writer.mjs DATABASE_URL STREAMS EVENTS_A_STREAM`. */
import { randomUUID } from 'node:crypto';
import { createDataSource } from '../../dist/libs/database/src/index.js';
import { Ledger } from '../../dist/libs/ledger/src/index.js';

const [url, streams, eventsOfEach] = process.argv.slice(2);
const dataSource = await createDataSource({ url, applicationName: 'ledger-writer', poolSize: 4 }).initialize();
const ledger = new Ledger(dataSource);
const context = { requestId: 'r', correlationId: 'r', causationId: null, actor: 'ledger-writer' };

async function writeStream() {
  const scheduleId = randomUUID();
  const instanceId = randomUUID();
  for (let version = 0; version < Number(eventsOfEach); version += 1) {
    const events = [{ id: randomUUID(), type: 'ScheduleDeleted', data: { scheduleId, instanceId } }];
    const { outcome } = await ledger.append({
      stream: `schedule-${scheduleId}`,
      expectedVersion: version,
      accountId: 'acme',
      instanceId,
      context,
      events,
      claims: [],
      releases: [],
    });
    if (outcome !== 'appended') throw new Error(`append ${version} of ${scheduleId}: ${outcome}`);
  }
}

await Promise.all(Array.from({ length: Number(streams) }, writeStream));
await dataSource.destroy();
