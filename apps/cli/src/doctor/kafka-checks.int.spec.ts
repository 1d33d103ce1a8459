import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { aggregates, topicName } from '@strongroom/contracts';
import { freePort } from '@strongroom/server-processes';
import {
  AclOperationTypes,
  AclPermissionTypes,
  AclResourceTypes,
  type Admin,
  Kafka,
  logLevel,
  ResourcePatternTypes,
} from 'kafkajs';
import { examined } from '../../../../test/services/examined.js';
import { describeWithKafka, OwnKafka } from '../../../../test/services/kafka.js';
import { exitCodes } from '../exit-codes.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'strongroom-kafka-checks-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function asAdmin<T>(brokers: string, work: (admin: Admin) => Promise<T>): Promise<T> {
  const kafka = new Kafka({ brokers: brokers.split(','), clientId: 'kafka-checks', logLevel: logLevel.NOTHING });
  const admin = kafka.admin();
  await admin.connect();
  try {
    return await work(admin);
  } finally {
    await admin.disconnect();
  }
}

/** A name that no other deployment on the broker has. */
const newNamespace = () => `doctor-${randomBytes(6).toString('hex')}`;
const envOf = (brokers: string, namespace: string) => ({ KAFKA_BROKERS: brokers, STRONGROOM_NAMESPACE: namespace });

describeWithKafka('the look at a Kafka', (brokers) => {
  it('names the topics that are not there, says who makes them, and makes none', async () => {
    const namespace = newNamespace();
    const { code, findings } = await examined('kafka', envOf(brokers, namespace), folder);
    expect(code).toBe(exitCodes.done);
    expect(findings).toMatchObject([
      { check: 'reach', result: 'ok' },
      { check: 'topics', result: 'warning', next: expect.stringContaining('A service makes them') },
    ]);
    for (const kind of aggregates) expect(findings[1]?.says).toContain(topicName(kind, namespace));
    expect(
      (await asAdmin(brokers, (admin) => admin.listTopics())).filter((name) => name.startsWith(namespace)),
    ).toEqual([]);
  });

  it('names the topic that may lose events, with the setting that it must have', async () => {
    const namespace = newNamespace();
    const topic = topicName('backup', namespace);
    const configEntries = [{ name: 'retention.ms', value: '86400000' }];
    await asAdmin(brokers, (admin) => admin.createTopics({ waitForLeaders: true, topics: [{ topic, configEntries }] }));
    const { code, findings } = await examined('kafka', envOf(brokers, namespace), folder);
    expect(code).toBe(exitCodes.done);
    const odd = findings.filter(({ check }) => check === 'settings');
    expect(odd).toContainEqual({
      part: 'kafka',
      about: 'cluster',
      check: 'settings',
      result: 'warning',
      says: expect.stringContaining(`topic ${topic} has retention.ms=86400000, and must have -1`),
      next: expect.stringContaining('kafka-configs'),
    });
    expect(odd.map(({ result }) => result)).not.toContain('ok');
    expect(findings.find(({ check }) => check === 'topics')?.says).not.toContain(`${topic},`);
  });

  it('says that a setting of ours is wrong, and where it is described', async () => {
    const env = { ...envOf(brokers, newNamespace()), KAFKA_SECURITY_PROTOCOL: 'SASL_SSL' };
    expect(await examined('kafka', env, folder)).toMatchObject({
      code: exitCodes.failed,
      findings: [{ check: 'reach', result: 'failed', next: 'See docs/configuration.md.' }],
    });
  });
});

describeWithKafka('the look at a Kafka that has rights', () => {
  const [user, password] = ['doctor', 'the-password-of-the-doctor'];
  let kafka: OwnKafka;
  let port: number;

  beforeAll(async () => {
    const [inner, controllerPort] = [await freePort(), await freePort()];
    port = await freePort();
    const plain = 'org.apache.kafka.common.security.plain.PlainLoginModule';
    const ways = `PLAINTEXT://127.0.0.1:${inner},SASL://127.0.0.1:${port}`;
    kafka = await OwnKafka.start({
      port: inner,
      controllerPort,
      settings: {
        listeners: `${ways},CONTROLLER://127.0.0.1:${controllerPort}`,
        'advertised.listeners': ways,
        'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL:SASL_PLAINTEXT',
        'sasl.enabled.mechanisms': 'PLAIN',
        'listener.name.sasl.plain.sasl.jaas.config': `${plain} required user_${user}="${password}";`,
        'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
        'super.users': 'User:ANONYMOUS',
      },
    });
  }, 120_000);
  afterAll(() => kafka?.stop());

  it('does not say that topics are well whose settings it may not read, and says which right it lacks', async () => {
    const namespace = newNamespace();
    const topic = topicName('backup', namespace);
    await asAdmin(kafka.brokers, async (admin) => {
      await admin.createTopics({ waitForLeaders: true, topics: [{ topic }] });
      const right = { principal: `User:${user}`, host: '*', permissionType: AclPermissionTypes.ALLOW };
      const ofNames = { resourcePatternType: ResourcePatternTypes.LITERAL, operation: AclOperationTypes.DESCRIBE };
      await admin.createAcls({
        acl: [
          { ...right, ...ofNames, resourceType: AclResourceTypes.TOPIC, resourceName: topic },
          { ...right, ...ofNames, resourceType: AclResourceTypes.CLUSTER, resourceName: 'kafka-cluster' },
        ],
      });
    });
    const env = {
      ...envOf(`127.0.0.1:${port}`, namespace),
      KAFKA_SECURITY_PROTOCOL: 'SASL_PLAINTEXT',
      KAFKA_SASL_MECHANISM: 'PLAIN',
      KAFKA_SASL_USERNAME: user,
      KAFKA_SASL_PASSWORD: password,
    };
    const { code, findings } = await examined('kafka', env, folder);
    expect(code).toBe(exitCodes.incomplete);
    expect(findings.filter(({ check }) => check === 'settings')).toMatchObject([
      { result: 'unchecked', next: expect.stringContaining('DescribeConfigs') },
    ]);
    const stranger = await examined('kafka', { ...env, KAFKA_SASL_PASSWORD: 'another-one' }, folder);
    expect(stranger).toMatchObject({
      code: exitCodes.failed,
      findings: [{ check: 'reach', result: 'failed', next: expect.stringContaining('KAFKA_') }],
    });
  });
});
