/** The global tear-down of Jest, which ends what the set-up has started. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';

export default async function teardown() {
  const services = globalThis.strongroomServices;
  if (!services) return;
  globalThis.strongroomServices = undefined;
  await Promise.all(services.stops.map((stop) => stop()));
  rmSync(services.folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  removeSegments(services.startedAt);
}

const segments = '/proc/sysvipc/shm';
const sizeOfPostgres = '56';

/**
 * A PostgreSQL that a test has killed leaves a segment of System V's shared memory, and Linux has 4,096 of these at most. Those are removed
 * that were made since a time, by a process that is gone, and that nobody has attached.
 */
function removeSegments(since) {
  if (!existsSync(segments)) return;
  for (const line of readFileSync(segments, 'utf8').trim().split('\n').slice(1)) {
    const [, id, , size, maker, , attached, , , , , , , madeAt] = line.trim().split(/\s+/);
    const isLeft = attached === '0' && size === sizeOfPostgres && !existsSync(`/proc/${maker}`);
    if (isLeft && Number(madeAt) >= since) spawnSync('ipcrm', ['-m', id], { stdio: 'ignore' });
  }
}
