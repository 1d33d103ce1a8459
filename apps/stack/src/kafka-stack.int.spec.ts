import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { freePort } from '@strongroom/server-processes';
import { eventually } from '../../../test/services/eventually.js';
import { describeWithKafka } from '../../../test/services/kafka.js';
import { folderForStack, Launcher, long, running } from '../fixtures/launcher.js';

describeWithKafka('npm start with a Kafka', (brokers) => {
  let own: Launcher;
  let given: Launcher;

  /** Two at once on one machine: one brings its Kafka, the other is given one that others use too. */
  beforeAll(async () => {
    own = new Launcher({ folder: folderForStack(), port: await freePort() });
    const env = { KAFKA_BROKERS: brokers };
    given = new Launcher({ folder: folderForStack(), port: await freePort(), env }, '--no-demo');
    await Promise.all([own.says('Up in'), given.says('Up in')]);
  }, 120_000);
  afterAll(() => Promise.all([own.remove(), given.remove()]));

  it('brings a real broker when nothing else is asked for, and makes two verified copies over it', async () => {
    const { broker, kafka, pids } = own.described;
    expect({ broker, kafka }).toEqual({ broker: 'kafka', kafka: expect.stringMatching(/^127\.0\.0\.1:\d+$/) });
    expect(running(pids)).toContain('kafka');
    const [backup] = await own.backups();
    expect(backup?.copies.map(({ region, verified }) => [region, verified])).toEqual([
      ['IAD', true],
      ['ORD', true],
    ]);
  });

  it('takes the brokers of KAFKA_BROKERS before its own, beside another stack on the same machine', () => {
    expect(given.described).toMatchObject({ broker: 'kafka', kafka: brokers, instanceId: null });
    expect(given.output).toContain('Kafka of KAFKA_BROKERS');
    expect(given.described.pids).not.toHaveProperty('kafka');
    expect(running(given.described.pids).sort()).toEqual(['api', 'launcher', 'postgres', 'replicator', 'scheduler']);
    expect(running(own.described.pids)).toHaveLength(Object.keys(own.described.pids).length);
  });

  it('starts a broker that dies again, says so, and events go on where they were', async () => {
    const { pids } = own.described;
    process.kill(pids.kafka ?? -1, 'SIGKILL');
    const name = 'while-the-broker-is-away';
    await own.client.backups.create({ name, instance: own.described.instanceId ?? '', copy_to: ['ORD'] });
    await own.says('kafka runs again');
    expect(own.described.pids.kafka).not.toBe(pids.kafka);
    await eventually(async () => {
      const [newest] = await own.backups();
      expect(newest).toMatchObject({ name, copies: [{ region: 'ORD', verified: true }] });
    }, long);
  }, 120_000);

  it('leaves nothing running when it stops', async () => {
    const { pids } = own.described;
    expect(await own.end('SIGINT')).toBe(0);
    expect(running(pids)).toEqual([]);
  }, 60_000);
});
