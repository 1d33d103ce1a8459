/** Appends events to the ledger as fast as it can: node ledger-writer.mjs DATABASE_URL STREAMS EVENTS_A_STREAM [schedule|instance]. Built code. */
import { randomUUID } from 'node:crypto';
import { DataSource } from 'typeorm';
import { dataSourceOptions } from '../../dist/libs/database/src/index.js';
import { Ledger } from '../../dist/libs/ledger/src/index.js';

const [url, streams, eventsOfEach, aggregate = 'schedule'] = process.argv.slice(2);
const options = dataSourceOptions({ url, applicationName: 'ledger-writer', poolSize: 4 });
// A service gives up after some seconds and tries again.
const dataSource = await new DataSource({ ...options, connectTimeoutMS: 0 }).initialize();
const ledger = new Ledger(dataSource);
const context = { requestId: 'r', correlationId: 'r', causationId: null, actor: 'ledger-writer' };

async function writeStream() {
  const scheduleId = randomUUID();
  const instanceId = randomUUID();
  for (let version = 0; version < Number(eventsOfEach); version += 1) {
    // The event of an instance asks for a job.
    const event =
      aggregate === 'schedule'
        ? { type: 'ScheduleDeleted', data: { scheduleId, instanceId } }
        : { type: 'InstanceForgotten', data: { instanceId } };
    const events = [{ id: randomUUID(), ...event }];
    const { outcome } = await ledger.append({
      stream: aggregate === 'schedule' ? `schedule-${scheduleId}` : `instance-${instanceId}`,
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
