/**
 * Jest's global set-up: a real PostgreSQL for the run and, where one is found, a real Kafka; the built code starts both. With
 * REQUIRE_KAFKA=1 the run ends when there is no Kafka. Before that, what a killed run has left is ended.
 */
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DataSource } from 'typeorm';
import teardown from './teardown.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const sources = join(root, 'libs', 'local-services', 'kafka');
const prefix = 'strongroom-services-';

export default async function setup() {
  // Jest calls this once for each project of a run.
  if (process.env.STRONGROOM_TEST_POSTGRES_URL) return;
  const services = { ...(await built('server-processes')), ...(await built('local-services')) };
  await endLeftovers(services);
  const folder = mkdtempSync(join(tmpdir(), prefix));
  // When root runs this, PostgreSQL runs as another user, who must be able to enter the folder.
  chmodSync(folder, 0o711);
  writeFileSync(join(folder, 'owner'), services.identityOf(process.pid) ?? '');
  mkdirSync(join(folder, 'templates'), { mode: 0o711 });
  chmodSync(join(folder, 'templates'), 0o711);
  globalThis.strongroomServices = { folder, stops: [], startedAt: Math.floor(Date.now() / 1_000) };
  try {
    const [postgres, kafka] = await all([startPostgres(services, folder), startKafka(services, folder)]);
    Object.assign(process.env, {
      STRONGROOM_TEST_POSTGRES_URL: postgres.url(),
      STRONGROOM_TEST_TEMPLATES: join(folder, 'templates'),
      STRONGROOM_TEST_KAFKA: kafka.broker?.address ?? '',
      STRONGROOM_TEST_KAFKA_JARS: kafka.jars ?? '',
      STRONGROOM_TEST_KAFKA_REASON: kafka.reason ?? '',
    });
  } catch (error) {
    // Jest does not call the tear-down when a set-up fails.
    await teardown();
    throw error;
  }
}

async function built(library) {
  return import(`../../dist/libs/${library}/src/index.js`).catch((error) => {
    throw new Error(`the tests run on built code: npm run build (${error.message})`);
  });
}

async function startPostgres({ PostgresServer }, folder) {
  const server = await PostgresServer.start({
    directory: join(folder, 'postgres'),
    password: randomBytes(8).toString('hex'),
    settings: {
      wal_level: 'replica',
      max_connections: 500,
      shared_buffers: '128MB',
      // Nothing that a test stores has to outlive a crash of the host. Each new database makes a checkpoint.
      fsync: 'off',
      full_page_writes: 'off',
      max_wal_size: '4GB',
    },
    logFile: join(folder, 'postgres.log'),
  });
  globalThis.strongroomServices.stops.push(() => server.stop());
  await makeTemplate(server);
  return server;
}

/** Makes a database with the schema of the built code. It can be copied as long as nobody is connected to it. */
async function makeTemplate(server) {
  const { dataSourceOptions, migrate } = await built('database');
  const withDatabase = async (name, work) => {
    const options = dataSourceOptions({ url: server.url(name), applicationName: 'strongroom-tests', poolSize: 2 });
    // A service gives up after some seconds and tries again.
    const dataSource = await new DataSource({ ...options, connectTimeoutMS: 0 }).initialize();
    await work(dataSource).finally(() => dataSource.destroy());
  };
  await withDatabase('postgres', (dataSource) => dataSource.query('create database strongroom_template'));
  await withDatabase('strongroom_template', migrate);
}

async function startKafka({ findKafka, KafkaBroker }, folder) {
  const { jars, reason } = await findKafka(join(root, '.strongroom', 'kafka-libs'), sources, {
    onFetch: () => process.stderr.write('Fetching Kafka by Maven, once …\n'),
  });
  if (!jars) {
    const message = `There is no Kafka here: ${reason}.`;
    if (process.env.REQUIRE_KAFKA === '1') throw new Error(`${message} REQUIRE_KAFKA=1 makes that a failure.`);
    process.stderr.write(`\n${message} What needs one is listed as not run; the rest uses the embedded feed.\n\n`);
    return { reason };
  }
  const options = { jars, sources, directory: join(folder, 'kafka'), logFile: join(folder, 'kafka.log') };
  const broker = await KafkaBroker.startWithArchive(options);
  globalThis.strongroomServices.stops.push(() => broker.kill());
  return { jars, broker };
}

/** Waits for all even when one fails, so that nothing is still starting when the rest is stopped. */
async function all(starts) {
  const outcomes = await Promise.allSettled(starts);
  const failed = outcomes.find(({ status }) => status === 'rejected');
  if (failed) throw failed.reason;
  return outcomes.map(({ value }) => value);
}

/** Ends the servers and removes the folders of runs whose process is gone. */
async function endLeftovers({ commandLineOf, endProcess, identityOf, pidOf }) {
  for (const name of readdirSync(tmpdir()).filter((each) => each.startsWith(prefix))) {
    const folder = join(tmpdir(), name);
    const owner = join(folder, 'owner');
    try {
      if (!existsSync(owner) || pidOf(readFileSync(owner, 'utf8')) !== undefined) continue;
      for (const [file, program] of [
        ['postgres/postmaster.pid', 'postgres'],
        ['kafka/pid', 'kafka.Kafka'],
      ]) {
        if (!existsSync(join(folder, file))) continue;
        const pid = Number.parseInt(readFileSync(join(folder, file), 'utf8'), 10);
        const line = commandLineOf(pid) ?? '';
        if (line.includes(program) && line.includes(folder))
          await endProcess(identityOf(pid) ?? '', { what: line, signal: 'SIGKILL', graceMs: 5_000 });
      }
      rmSync(folder, { recursive: true, force: true });
    } catch {
      // It belongs to another user, or another run is removing it: this run does not depend on it.
    }
  }
}
