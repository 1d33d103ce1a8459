import { describe, expect, it } from '@jest/globals';
import { appNames, settings } from '@strongroom/runtime';
import { environmentOf, settingsOfKafka, sizesOfMemory } from './app-environment.js';

/** For each secret, the services that can't do without it. */
const needed: Record<string, readonly string[]> = {
  STRONGROOM_DATABASE_URL: appNames,
  STRONGROOM_VAULTS: appNames,
  STRONGROOM_SECRET_KEY: ['api', 'scheduler'],
  STRONGROOM_CHAIN_KEY: ['scheduler'],
  STRONGROOM_RESTORE_KEY: ['scheduler'],
  STRONGROOM_HEARTBEAT_URL: ['scheduler'],
  STRONGROOM_KEYSTONE_PASSWORD: ['api'],
  STRONGROOM_TLS_CERT: ['api'],
  STRONGROOM_TLS_KEY: ['api'],
  KAFKA_SSL_CA: appNames,
  KAFKA_SSL_CERTIFICATE: appNames,
  KAFKA_SSL_KEY: appNames,
  KAFKA_SASL_PASSWORD: appNames,
  KAFKA_SASL_TOKEN: appNames,
  OTEL_EXPORTER_OTLP_ENDPOINT: appNames,
  OTEL_EXPORTER_OTLP_HEADERS: appNames,
};

describe('the environment of a service', () => {
  it('has each secret that the service needs, and none of another one', () => {
    const secrets = settings.filter(({ isSecret }) => isSecret).map(({ name }) => name);
    expect(secrets.sort()).toEqual(Object.keys(needed).sort());
    const names = [...secrets.flatMap((name) => [name, `${name}_FILE`]), 'STRONGROOM_TOKENS_FILE'];
    const all = Object.fromEntries(names.map((name) => [name, 'hush']));
    for (const app of appNames) {
      const wanted = names.filter((name) =>
        (name === 'STRONGROOM_TOKENS_FILE' ? ['api'] : needed[name.replace(/_FILE$/, '')])?.includes(app),
      );
      expect([app, Object.keys(environmentOf(app, all)).sort()]).toEqual([app, wanted.sort()]);
    }
  });

  it('keeps what is no setting, of which the service says so, and what it runs with', () => {
    const others = { PATH: '/bin', NOT_A_SETTING: '1', STRONGROOM_HTTP_PORT: '1' };
    for (const app of appNames) expect(environmentOf(app, others)).toEqual(others);
  });

  it('has the way to a Kafka that was given as it was given, and nothing else of it', () => {
    const given = { KAFKA_SECURITY_PROTOCOL: 'SASL_SSL', KAFKA_SASL_PASSWORD_FILE: '/run/password' };
    const others = { KAFKA_BROKERS: 'kafka:9092', KAFKA_HEAP_OPTS: '-Xmx1g', PATH: '/bin' };
    expect(settingsOfKafka({ ...given, ...others })).toEqual(given);
  });

  it("has the sizes of memory that the launcher's options of Node give, and none of the other options", () => {
    expect(sizesOfMemory('--inspect --max-old-space-size=512 --require ./x.cjs --max_semi_space_size=8')).toBe(
      '--max-old-space-size=512 --max_semi_space_size=8',
    );
    expect(sizesOfMemory()).toBe('');
  });
});
