import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { type FeedConfig, loadConfig } from '@strongroom/runtime';
import { freePort } from '@strongroom/server-processes';
import { CertificateAuthority, type Certified } from '../../../../test/services/certificates.js';
import { eventually } from '../../../../test/services/eventually.js';
import { describeWithKafka, OwnKafka } from '../../../../test/services/kafka.js';
import { FeedWorld } from '../../fixtures/feed-world.js';

const ports = { tls: 0, withCertificate: 0, sasl: 0 };
const [user, password] = ['strongroom', 'the-password-of-the-spec'];

describeWithKafka('a Kafka that takes only TLS', () => {
  let authority: CertificateAuthority;
  let own: Certified;
  let folder: string;
  let kafka: OwnKafka;
  let world: FeedWorld | undefined;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'strongroom-secured-kafka-'));
    authority = CertificateAuthority.create('the authority of the spec');
    const broker = authority.issue({ name: 'broker', hosts: ['127.0.0.1', 'localhost'] });
    own = authority.issue({ name: 'us' });
    const [store, trusted] = [join(folder, 'store.pem'), join(folder, 'trusted.pem')];
    await writeFile(store, broker.key + broker.certificate + authority.certificate);
    await writeFile(trusted, authority.certificate);
    const inner = await freePort();
    const controllerPort = await freePort();
    for (const way of ['tls', 'withCertificate', 'sasl'] as const) ports[way] = await freePort();
    const ways = [
      ['SSL', ports.tls],
      ['MUTUAL', ports.withCertificate],
      ['SASL', ports.sasl],
    ] as const;
    const listeners = [`PLAINTEXT://127.0.0.1:${inner}`, ...ways.map(([name, port]) => `${name}://127.0.0.1:${port}`)];
    kafka = await OwnKafka.start({
      port: inner,
      controllerPort,
      format: ['--add-scram', `SCRAM-SHA-512=[name=${user},password=${password}]`],
      settings: {
        listeners: [...listeners, `CONTROLLER://127.0.0.1:${controllerPort}`].join(','),
        'advertised.listeners': listeners.join(','),
        'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,MUTUAL:SSL,SASL:SASL_SSL',
        'ssl.keystore.type': 'PEM',
        'ssl.keystore.location': store,
        'ssl.truststore.type': 'PEM',
        'ssl.truststore.location': trusted,
        'listener.name.mutual.ssl.client.auth': 'required',
        'sasl.enabled.mechanisms': 'SCRAM-SHA-512,PLAIN',
        'listener.name.sasl.scram-sha-512.sasl.jaas.config':
          'org.apache.kafka.common.security.scram.ScramLoginModule required;',
        'listener.name.sasl.plain.sasl.jaas.config': `org.apache.kafka.common.security.plain.PlainLoginModule required user_${user}="${password}";`,
      },
    });
  }, 180_000);
  afterEach(async () => {
    await world?.remove();
    world = undefined;
  });
  afterAll(async () => {
    await kafka?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const feedOf = (port: number, env: NodeJS.ProcessEnv): FeedConfig =>
    loadConfig('replicator', {
      STRONGROOM_DATABASE_URL: 'postgres://of.the/spec',
      STRONGROOM_VAULTS: 'DFW=file:///none',
      KAFKA_BROKERS: `127.0.0.1:${port}`,
      ...env,
    }).feed;

  const tls = () => ({ KAFKA_SECURITY_PROTOCOL: 'SSL', KAFKA_SSL_CA: authority.certificate });
  const sasl = (mechanism: string) => ({
    ...tls(),
    ...{ KAFKA_SECURITY_PROTOCOL: 'SASL_SSL', KAFKA_SASL_MECHANISM: mechanism, KAFKA_SASL_USERNAME: user },
    KAFKA_SASL_PASSWORD: password,
  });

  it.each([
    ['whose authority we know', () => feedOf(ports.tls, tls())],
    [
      'which asks for our certificate',
      () =>
        feedOf(ports.withCertificate, {
          ...tls(),
          KAFKA_SSL_CERTIFICATE: own.certificate,
          KAFKA_SSL_KEY: own.key,
        }),
    ],
    ['with a user and SCRAM-SHA-512', () => feedOf(ports.sasl, sasl('SCRAM-SHA-512'))],
    ['with a user and PLAIN', () => feedOf(ports.sasl, sasl('PLAIN'))],
  ])(
    'brings the events, %s',
    async (_, feed) => {
      world = await FeedWorld.create(feed());
      await world.member();
      const events = await world.append(world.ids.next(), 3);
      expect((await world.settled(events, 60_000)).map(({ eventId }) => eventId)).toEqual(events);
    },
    120_000,
  );

  it.each([
    ['an authority that we do not know', () => feedOf(ports.tls, { KAFKA_SECURITY_PROTOCOL: 'SSL' }), /certificate/i],
    [
      'a wrong password',
      () => feedOf(ports.sasl, { ...sasl('SCRAM-SHA-512'), KAFKA_SASL_PASSWORD: 'other' }),
      /SASL|auth/i,
    ],
  ])(
    'is not used with %s, and readiness says why',
    async (_, feed, reason) => {
      world = await FeedWorld.create(feed());
      const member = await world.member();
      await eventually(async () => expect(await member.unready()).toMatch(reason), { withinMs: 60_000 });
    },
    120_000,
  );
});
