/**
 * The relay of an app, in a process of its own and without the app around it, for `relay.mjs`. It begins at once, and ends with its
 * standard input.
 *
 *     node bench/relay-process.mjs DATABASE BROKERS NAMESPACE
 */
import { randomUUID } from 'node:crypto';
import { createDataSource } from '../dist/libs/database/src/index.js';
import { Cluster } from '../dist/libs/feed/src/kafka/cluster.js';
import { kafkaClient } from '../dist/libs/feed/src/kafka/kafka-client.js';
import { KafkaRelay } from '../dist/libs/feed/src/kafka/kafka-relay.js';
import { LedgerIdentity } from '../dist/libs/feed/src/ledger-identity.js';
import { Ledger } from '../dist/libs/ledger/src/index.js';
import { createLogger, Metrics } from '../dist/libs/runtime/src/index.js';

const [url, brokers, namespace] = process.argv.slice(2);
const log = createLogger({ app: 'relay', level: 'warn', to: process.stderr });
const dataSource = await createDataSource({ url, applicationName: 'bench-relay' }).initialize();
const client = (requestTimeoutMs) => kafkaClient({ brokers: [brokers] }, 'bench-relay', log, requestTimeoutMs);
const relay = new KafkaRelay({
  ...{ dataSource, log, namespace, kafka: client, holder: randomUUID() },
  ledger: new Ledger(dataSource),
  clock: { now: () => new Date() },
  metrics: new Metrics(),
  cluster: new Cluster(client(), dataSource, log, namespace),
  identity: new LedgerIdentity(dataSource, log),
});
await relay.start();
process.stdout.write('relaying\n');
for await (const _ of process.stdin);
await relay.stop();
await dataSource.destroy();
