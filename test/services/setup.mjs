/**
 * Jest's global set-up: a real PostgreSQL and, where it can be had, a real Kafka for the run, both of the built code.
 * With REQUIRE_KAFKA=1 a Kafka that can't be had ends the run.
 */
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const sources = join(root, 'libs', 'local-services', 'kafka');

export default async function setup() {
  if (process.env.STRONGROOM_TEST_POSTGRES_URL) return;
  const { findKafka, KafkaBroker, PostgresServer } = await import('../../dist/libs/local-services/src/index.js').catch(
    (error) => {
      throw new Error(`the tests run on built code: npm run build (${error.message})`);
    },
  );
  const folder = mkdtempSync(join(tmpdir(), 'strongroom-services-'));
  // Where this is root, PostgreSQL runs as another user, who must be able to pass through.
  chmodSync(folder, 0o711);
  globalThis.strongroomServices = { folder, running: [] };
  const start = async (service) => {
    const started = await service;
    globalThis.strongroomServices.running.push(started);
    return started;
  };

  const kafka = (async () => {
    const { jars, reason } = await findKafka(join(root, '.strongroom', 'kafka'), sources);
    if (!jars) return { reason };
    const options = { jars, sources, directory: join(folder, 'kafka'), logFile: join(folder, 'kafka.log') };
    return { jars, broker: await start(KafkaBroker.start(options)) };
  })();
  const postgres = await start(
    PostgresServer.start({
      directory: join(folder, 'postgres'),
      password: randomBytes(8).toString('hex'),
      settings: { max_connections: 300, shared_buffers: '128MB' },
      logFile: join(folder, 'postgres.log'),
    }),
  );
  const { broker, jars, reason } = await kafka;
  if (!broker) {
    const message = `There is no Kafka here: ${reason}.`;
    if (process.env.REQUIRE_KAFKA === '1') throw new Error(`${message} REQUIRE_KAFKA=1 makes that a failure.`);
    process.stderr.write(`\n${message} What needs it runs on the embedded feed, or says that it was not run.\n\n`);
  }
  process.env.STRONGROOM_TEST_POSTGRES_URL = postgres.url();
  process.env.STRONGROOM_TEST_KAFKA = broker?.address ?? '';
  process.env.STRONGROOM_TEST_KAFKA_JARS = jars ?? '';
  process.env.STRONGROOM_TEST_KAFKA_REASON = reason ?? '';
}
