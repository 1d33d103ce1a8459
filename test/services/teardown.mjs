/** The global tear-down of Jest, which ends what the set-up has started. */
import { rmSync } from 'node:fs';

export default async function teardown() {
  const services = globalThis.strongroomServices;
  if (!services) return;
  globalThis.strongroomServices = undefined;
  await Promise.all(services.stops.map((stop) => stop()));
  rmSync(services.folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
}
