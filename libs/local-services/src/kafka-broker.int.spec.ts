import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { Kafka, logLevel, Partitioners } from 'kafkajs';
import { describeWithKafka } from '../../../test/services/kafka.js';
import { KafkaBroker, type KafkaOptions } from './kafka-broker.js';
import { findKafka } from './kafka-jars.js';

const topic = 'kept';
const sources = join(__dirname, '..', 'kafka');
let folder: string;
let running: KafkaBroker[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'strongroom-broker-'));
  running = [];
});
afterEach(async () => {
  await Promise.all(running.map((broker) => broker.kill()));
  rmSync(folder, { recursive: true, force: true });
});

function options(): KafkaOptions {
  const jars = process.env.STRONGROOM_TEST_KAFKA_JARS ?? '';
  return { jars, sources, directory: join(folder, 'data'), logFile: join(folder, 'log') };
}

function started(broker: KafkaBroker): KafkaBroker {
  running.push(broker);
  return broker;
}

function client(broker: KafkaBroker): Kafka {
  return new Kafka({ brokers: [broker.address], logLevel: logLevel.NOTHING });
}

async function send(broker: KafkaBroker, value: string): Promise<void> {
  const producer = client(broker).producer({ createPartitioner: Partitioners.DefaultPartitioner });
  await producer.connect();
  await producer.send({ topic, acks: -1, messages: [{ value }] });
  await producer.disconnect();
}

async function held(broker: KafkaBroker): Promise<number> {
  const admin = client(broker).admin();
  await admin.connect();
  const [partition] = await admin.fetchTopicOffsets(topic);
  await admin.disconnect();
  return Number(partition?.high);
}

describeWithKafka('a Kafka broker', () => {
  it('keeps what it was sent, at the same address, when it is killed, left running, stopped and started again', async () => {
    const first = started(await KafkaBroker.start(options()));
    const admin = client(first).admin();
    await admin.connect();
    await admin.createTopics({ topics: [{ topic, numPartitions: 1 }] });
    await admin.disconnect();
    await send(first, 'before the kill');
    await first.kill();
    const second = started(await first.restart());
    expect(second.address).toBe(first.address);
    await send(second, 'before it was left running');

    // The first launcher was killed, and another takes the broker over, at any port.
    const third = started(await KafkaBroker.start(options()));
    expect(second.running).toBe(false);
    await send(third, 'before the stop');
    await third.stop();
    expect(await third.ended).toBe('ended with code 143');
    expect(await held(started(await third.restart()))).toBe(3);
  }, 180_000);

  it('starts with the classes that the first start of all has kept, and says why one did not start, with the end of its log', async () => {
    const blocked = started(await KafkaBroker.start(options()));
    // Java has mapped them into its memory.
    expect(readFileSync(`/proc/${blocked.pid}/maps`, 'utf8')).toMatch(/kafka-[\d.]+-java-[\w.+-]+\.jsa$/m);
    const port = Number(blocked.address.split(':')[1]);
    await expect(KafkaBroker.start({ ...options(), directory: join(folder, 'other'), port })).rejects.toMatchObject({
      name: 'ServiceFault',
      code: 'did-not-start',
      message: expect.stringContaining('Address already in use'),
    });
    expect(readFileSync(join(folder, 'other', 'pid'), 'utf8')).not.toBe('');
  }, 120_000);

  it('is found where Java and Maven are', async () => {
    const found = await findKafka(join(options().jars, '..'), sources);
    expect(found.jars).toBe(options().jars);
  });
});
