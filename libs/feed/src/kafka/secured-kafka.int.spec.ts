import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { type FeedConfig, loadConfig } from '@strongroom/runtime';
import { freePort } from '@strongroom/server-processes';
import { CertificateAuthority, type Certified } from '../../../../test/services/certificates.js';
import { eventually } from '../../../../test/services/eventually.js';
import { describeWithKafka, OwnKafka } from '../../../../test/services/kafka.js';
import { FeedWorld } from '../../fixtures/feed-world.js';

const ports = { tls: 0, withCertificate: 0, sasl: 0, away: 0 };
/** An address of nobody (RFC 5737). */
const elsewhere = '192.0.2.1';
const [user, password] = ['strongroom', 'the-password-of-the-spec'];
/** Each mechanism has a password of its own, so that none can stand in for another one. */
const passwordOf = (mechanism: string) => `${password}-for-${mechanism}`;

/** As a server of tokens would make it, but for the signature. */
function tokenUntil(endsAtMs: number): string {
  const part = (claims: object) => Buffer.from(JSON.stringify(claims)).toString('base64url');
  const now = Math.floor(Date.now() / 1_000) - 3_600;
  return `${part({ alg: 'none' })}.${part({ sub: user, iat: now, exp: Math.floor(endsAtMs / 1_000) })}.`;
}

/** Gives tokens to the one client that it knows, as RFC 6749 has it. */
class TokenServer {
  /** What it does instead of that. */
  trouble: 'none' | 'hangs' | 'refuses' = 'none';

  private constructor(private readonly server: Server) {}

  static async start(): Promise<TokenServer> {
    const right = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
    const server = createServer(async (request, response) => {
      if (made.trouble === 'hangs') return;
      if (made.trouble === 'refuses') {
        response.writeHead(503).end();
        return;
      }
      const body = new URLSearchParams(await text(request));
      const isRight = body.get('grant_type') === 'client_credentials' && request.headers.authorization === right;
      const token = { access_token: tokenUntil(Date.now() + 3_600_000), token_type: 'Bearer', expires_in: 3_600 };
      response.writeHead(isRight ? 200 : 401, { 'content-type': 'application/json' });
      response.end(JSON.stringify(isRight ? token : { error: 'invalid_client' }));
    });
    const made = new TokenServer(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return made;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/token`;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }
}

describeWithKafka('a Kafka that takes only TLS', () => {
  let authority: CertificateAuthority;
  let own: Certified;
  let folder: string;
  let kafka: OwnKafka;
  let world: FeedWorld | undefined;
  let tokens: TokenServer;
  let tokenFile: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'strongroom-secured-kafka-'));
    authority = CertificateAuthority.create('the authority of the spec');
    const broker = authority.issue({ name: 'broker', hosts: ['127.0.0.1', 'localhost'] });
    own = authority.issue({ name: 'us' });
    const [store, trusted] = [join(folder, 'store.pem'), join(folder, 'trusted.pem')];
    await writeFile(store, broker.key + broker.certificate + authority.certificate);
    await writeFile(trusted, authority.certificate);
    tokenFile = join(folder, 'token');
    await writeFile(tokenFile, tokenUntil(Date.now() + 3_600_000));
    tokens = await TokenServer.start();
    const inner = await freePort();
    const controllerPort = await freePort();
    for (const way of ['tls', 'withCertificate', 'sasl', 'away'] as const) ports[way] = await freePort();
    const ways = [
      ['SSL', ports.tls],
      ['MUTUAL', ports.withCertificate],
      ['SASL', ports.sasl],
    ] as const;
    const listeners = [`PLAINTEXT://127.0.0.1:${inner}`, ...ways.map(([name, port]) => `${name}://127.0.0.1:${port}`)];
    kafka = await OwnKafka.start({
      port: inner,
      controllerPort,
      format: ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap((mechanism) => [
        '--add-scram',
        `${mechanism}=[name=${user},password=${passwordOf(mechanism)}]`,
      ]),
      settings: {
        listeners: [
          ...[...listeners, `AWAY://127.0.0.1:${ports.away}`],
          `CONTROLLER://127.0.0.1:${controllerPort}`,
        ].join(','),
        'advertised.listeners': [...listeners, `AWAY://${elsewhere}:${ports.away}`].join(','),
        'listener.security.protocol.map':
          'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,AWAY:PLAINTEXT,SSL:SSL,MUTUAL:SSL,SASL:SASL_SSL',
        'ssl.keystore.type': 'PEM',
        'ssl.keystore.location': store,
        'ssl.truststore.type': 'PEM',
        'ssl.truststore.location': trusted,
        'listener.name.mutual.ssl.client.auth': 'required',
        'sasl.enabled.mechanisms': 'SCRAM-SHA-256,SCRAM-SHA-512,PLAIN,OAUTHBEARER',
        'listener.name.sasl.scram-sha-256.sasl.jaas.config':
          'org.apache.kafka.common.security.scram.ScramLoginModule required;',
        // It takes tokens that nobody has signed, as long as they have not expired.
        'listener.name.sasl.oauthbearer.sasl.jaas.config':
          'org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";',
        'listener.name.sasl.scram-sha-512.sasl.jaas.config':
          'org.apache.kafka.common.security.scram.ScramLoginModule required;',
        'listener.name.sasl.plain.sasl.jaas.config': `org.apache.kafka.common.security.plain.PlainLoginModule required user_${user}="${passwordOf('PLAIN')}";`,
      },
    });
  }, 180_000);
  afterEach(async () => {
    await world?.remove();
    world = undefined;
  });
  afterAll(async () => {
    await kafka?.stop();
    await tokens?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const feedOf = (port: number, env: NodeJS.ProcessEnv): FeedConfig =>
    loadConfig('replicator', {
      STRONGROOM_DATABASE_URL: 'postgres://127.0.0.1/spec',
      STRONGROOM_VAULTS: 'DFW=file:///none',
      KAFKA_BROKERS: `127.0.0.1:${port}`,
      ...env,
    }).feed;

  const tls = () => ({ KAFKA_SECURITY_PROTOCOL: 'SSL', KAFKA_SSL_CA: authority.certificate });
  const sasl = (mechanism: string) => ({
    ...tls(),
    ...{ KAFKA_SECURITY_PROTOCOL: 'SASL_SSL', KAFKA_SASL_MECHANISM: mechanism, KAFKA_SASL_USERNAME: user },
    KAFKA_SASL_PASSWORD: passwordOf(mechanism),
  });

  const bearer = () => ({ ...tls(), KAFKA_SECURITY_PROTOCOL: 'SASL_SSL', KAFKA_SASL_MECHANISM: 'OAUTHBEARER' });

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
    ['with a user and SCRAM-SHA-256', () => feedOf(ports.sasl, sasl('SCRAM-SHA-256'))],
    ['with a user and PLAIN', () => feedOf(ports.sasl, sasl('PLAIN'))],
    ['with a token from a file', () => feedOf(ports.sasl, { ...bearer(), KAFKA_SASL_TOKEN_FILE: tokenFile })],
    [
      'with a token from a server of tokens',
      () =>
        feedOf(ports.sasl, {
          ...bearer(),
          ...{ KAFKA_SASL_TOKEN_URL: tokens.url, KAFKA_SASL_SCOPE: 'events' },
          ...{ KAFKA_SASL_USERNAME: user, KAFKA_SASL_PASSWORD: password },
        }),
    ],
  ])(
    'brings the events, %s',
    async (_, feed) => {
      world = await FeedWorld.create(feed());
      const { ledger } = world;
      const member = await world.member();
      const events = await world.append(world.ids.next(), 3);
      // The ledger gives events without Kafka, too. What Kafka has taken is behind the relay's cursor.
      await eventually(async () => expect(await world?.cursor('schedule')).toBe(await ledger.head()), {
        withinMs: 60_000,
      });
      await eventually(async () => expect(await member.unready()).toBeUndefined(), { withinMs: 60_000 });
      expect((await world.settled(events, 60_000)).map(({ eventId }) => eventId)).toEqual(events);
    },
    120_000,
  );

  it.each(['hangs', 'refuses'] as const)(
    'is waited for while the server of tokens %s: events are appended and handled, readiness says why, and it goes on by itself',
    async (trouble) => {
      tokens.trouble = trouble;
      try {
        world = await FeedWorld.create(
          feedOf(ports.sasl, {
            ...bearer(),
            ...{ KAFKA_SASL_TOKEN_URL: tokens.url, KAFKA_SASL_USERNAME: user, KAFKA_SASL_PASSWORD: password },
          }),
        );
        const member = await world.member({ lateMs: 500 });
        const instance = world.ids.next();
        const events = await world.append(instance, 2);
        await eventually(async () => expect(await member.unready()).toMatch(/no token for Kafka came from/), {
          withinMs: 60_000,
        });
        // They come from the ledger meanwhile.
        expect((await world.settled(events, 60_000)).map(({ eventId }) => eventId)).toEqual(events);
        tokens.trouble = 'none';
        await eventually(async () => expect(await member.unready()).toBeUndefined(), { withinMs: 90_000 });
        const later = await world.append(instance, 2);
        await eventually(async () => expect(await world?.cursor('schedule')).toBe(await world?.ledger.head()), {
          withinMs: 60_000,
        });
        expect((await world.settled([...events, ...later], 60_000)).map(({ eventId }) => eventId)).toEqual([
          ...events,
          ...later,
        ]);
      } finally {
        tokens.trouble = 'none';
      }
    },
    180_000,
  );

  it.each([
    ['an authority that we do not know', () => feedOf(ports.tls, { KAFKA_SECURITY_PROTOCOL: 'SSL' }), /certificate/i],
    [
      'a wrong password',
      () => feedOf(ports.sasl, { ...sasl('SCRAM-SHA-512'), KAFKA_SASL_PASSWORD: 'other' }),
      /SASL|auth/i,
    ],
    [
      'a token that has expired',
      () => feedOf(ports.sasl, { ...bearer(), KAFKA_SASL_TOKEN: tokenUntil(Date.now() - 60_000) }),
      // kafkajs keeps the broker's own reason to its log.
      /SASL|auth|No brokers/i,
    ],
    [
      'brokers that it advertises on another machine, without TLS',
      () => feedOf(ports.away, {}),
      /advertises 192\.0\.2\.1.*over a network without TLS/,
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
