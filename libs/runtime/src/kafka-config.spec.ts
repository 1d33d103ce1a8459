import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ConfigFault, loadConfig, loadKafkaConfig } from './config.js';

/** A certificate of nobody. */
const certificate = [
  '-----BEGIN CERTIFICATE-----',
  'MIIBdDCCARugAwIBAgIUHmzLiH1VTizkSz2XB8SW6yR+22YwCgYIKoZIzj0EAwIw',
  'DzENMAsGA1UEAwwEc3BlYzAgFw0yNjExMjYwNzE5MTRaGA8yMTI2MTEwMjA3MTkx',
  'NFowDzENMAsGA1UEAwwEc3BlYzBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABOmA',
  'tORy3Gh3RWm49grXG6/nEgQI1wyCJX3LgtoTM1XZzua7zdAUsgEBSRWhT40Y26Ca',
  'O3D11VXkF+5PxLmmrCyjUzBRMB0GA1UdDgQWBBTsY18YCwtiP+F1HoTChBSfJ7mQ',
  'TDAfBgNVHSMEGDAWgBTsY18YCwtiP+F1HoTChBSfJ7mQTDAPBgNVHRMBAf8EBTAD',
  'AQH/MAoGCCqGSM49BAMCA0cAMEQCIDIyhBi3aaL+Fe3ftgjI3t2pZPZhZNGaC1gI',
  'rooLKVIiAiBcK7PZmtaShnIFFv7E1RTluYiqTl1wwVMd7sRft0KVqQ==',
  '-----END CERTIFICATE-----',
].join('\n');
const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
const otherKey = String(privateKey.export({ type: 'pkcs8', format: 'pem' }));

const environment = {
  STRONGROOM_DATABASE_URL: 'postgres://strongroom:hush@127.0.0.1:5432/strongroom',
  KAFKA_BROKERS: 'kafka-1:9092',
  STRONGROOM_ALLOW_PLAINTEXT: 'kafka',
  STRONGROOM_VAULTS: 'DFW=file:///vaults/DFW',
};
const sasl = { KAFKA_SASL_MECHANISM: 'SCRAM-SHA-512', KAFKA_SASL_USERNAME: 'us', KAFKA_SASL_PASSWORD: 'hush' };
const feedOf = (env: NodeJS.ProcessEnv) => loadConfig('replicator', { ...environment, ...env }).feed;

function problemsOf(env: NodeJS.ProcessEnv): Record<string, string> {
  try {
    feedOf(env);
  } catch (error) {
    if (!(error instanceof ConfigFault)) throw error;
    expect(error.message).not.toMatch(/hush|PRIVATE/);
    return Object.fromEntries(error.problems.map(({ variable, problem }) => [variable, problem]));
  }
  throw new Error('the configuration was accepted');
}

describe('the way to Kafka', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'strongroom-config-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it('has neither TLS nor a user unless it is said', () => {
    expect(feedOf({})).toEqual({ kind: 'kafka', brokers: ['kafka-1:9092'] });
  });

  it('has a user and a password over TLS, with an authority of its own, each from a file where wanted', () => {
    const [ca, password] = [join(folder, 'ca.pem'), join(folder, 'password')];
    writeFileSync(ca, `${certificate}\n`);
    writeFileSync(password, 'from the file\n');
    const { KAFKA_SASL_PASSWORD: _, ...user } = sasl;
    const files = { KAFKA_SSL_CA_FILE: ca, KAFKA_SASL_PASSWORD_FILE: password };
    expect(feedOf({ KAFKA_SECURITY_PROTOCOL: 'SASL_SSL', ...user, ...files })).toEqual({
      kind: 'kafka',
      brokers: ['kafka-1:9092'],
      security: {
        tls: { ca: certificate },
        sasl: { mechanism: 'SCRAM-SHA-512', username: 'us', password: 'from the file' },
      },
    });
  });

  it('needs all three of a user', () => {
    expect(problemsOf({ KAFKA_SECURITY_PROTOCOL: 'SASL_SSL' })).toEqual({
      KAFKA_SASL_MECHANISM:
        'is not set; it must be one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER when KAFKA_SECURITY_PROTOCOL is SASL_SSL',
      KAFKA_SASL_USERNAME: 'is not set; it must be the name of a user when KAFKA_SECURITY_PROTOCOL is SASL_SSL',
      KAFKA_SASL_PASSWORD: "is not set; it must be the user's password when KAFKA_SECURITY_PROTOCOL is SASL_SSL",
    });
  });

  it.each([
    [{}, 'SASL_SSL or SASL_PLAINTEXT'],
    [{ KAFKA_SECURITY_PROTOCOL: 'SSL' }, 'SASL_SSL'],
  ])('refuses a user that would not be used, with %j', (protocol, instead) => {
    const problem = problemsOf({ ...protocol, ...sasl }).KAFKA_SASL_PASSWORD;
    expect(problem).toContain(`set KAFKA_SECURITY_PROTOCOL to ${instead}, or leave it out`);
  });

  it('refuses an authority without TLS, which would not be asked', () => {
    const without = { KAFKA_SECURITY_PROTOCOL: 'SASL_PLAINTEXT', ...sasl, KAFKA_SSL_CA: certificate };
    expect(problemsOf(without)).toEqual({
      KAFKA_SSL_CA:
        'is set, and KAFKA_SECURITY_PROTOCOL is SASL_PLAINTEXT, which does not use it; set KAFKA_SECURITY_PROTOCOL to SASL_SSL, or leave it out',
    });
  });

  it('refuses what is no certificate or key, and a certificate and a key that do not belong together', () => {
    const ssl = { KAFKA_SECURITY_PROTOCOL: 'SSL' };
    expect(Object.keys(problemsOf({ ...ssl, KAFKA_SSL_CA: 'hush', KAFKA_SSL_KEY: 'hush' }))).toEqual([
      'KAFKA_SSL_CA',
      'KAFKA_SSL_KEY',
    ]);
    expect(problemsOf({ ...ssl, KAFKA_SSL_CERTIFICATE: certificate })).toEqual({
      KAFKA_SSL_KEY: 'is not set; it must be the key of KAFKA_SSL_CERTIFICATE, which is set',
    });
    expect(problemsOf({ ...ssl, KAFKA_SSL_KEY: otherKey })).toEqual({
      KAFKA_SSL_CERTIFICATE: 'is not set; it must be the certificate of KAFKA_SSL_KEY, which is set',
    });
    expect(problemsOf({ ...ssl, KAFKA_SSL_CERTIFICATE: certificate, KAFKA_SSL_KEY: otherKey })).toEqual({
      KAFKA_SSL_KEY: 'is not the key of KAFKA_SSL_CERTIFICATE; set the two that belong together',
    });
  });

  it.each(['PLAINTEXT', 'SASL_PLAINTEXT'])('of %s leaves this machine only where the operator says so', (protocol) => {
    const user = protocol === 'PLAINTEXT' ? {} : sasl;
    const away = { KAFKA_SECURITY_PROTOCOL: protocol, ...user, STRONGROOM_ALLOW_PLAINTEXT: '' };
    const here = '127.0.0.1:9092,[::1]:9092,localhost:9092';
    expect(problemsOf({ ...away, KAFKA_BROKERS: `${here},kafka-1:9092,10.0.0.7:9092` })).toEqual({
      KAFKA_SECURITY_PROTOCOL: expect.stringMatching(/kafka-1:9092, 10\.0\.0\.7:9092 .*STRONGROOM_ALLOW_PLAINTEXT/),
    });
    for (const allowed of ['database', '']) {
      expect(Object.keys(problemsOf({ ...away, STRONGROOM_ALLOW_PLAINTEXT: allowed }))).toHaveLength(1);
    }
    expect(feedOf({ ...away, KAFKA_BROKERS: here })).toMatchObject({ kind: 'kafka' });
    expect(feedOf({ ...away, STRONGROOM_ALLOW_PLAINTEXT: 'database,kafka' })).toMatchObject({ kind: 'kafka' });
  });

  it('shows a token from a file or from a server of tokens, and never a password', () => {
    const bearer = { KAFKA_SECURITY_PROTOCOL: 'SASL_SSL', KAFKA_SASL_MECHANISM: 'OAUTHBEARER' };
    const file = join(folder, 'token');
    writeFileSync(file, 'of.the.file\n');
    const tokenOf = (env: NodeJS.ProcessEnv) => {
      const feed = feedOf({ ...bearer, ...env });
      return feed.kind === 'kafka' ? feed.security?.sasl : undefined;
    };
    expect(tokenOf({ KAFKA_SASL_TOKEN_FILE: file })).toEqual({
      mechanism: 'OAUTHBEARER',
      token: { is: 'file', path: file },
    });
    expect(tokenOf({ KAFKA_SASL_TOKEN: 'given' })).toMatchObject({ token: { is: 'given', token: 'given' } });
    const server = { KAFKA_SASL_TOKEN_URL: 'https://id.example.com/token', KAFKA_SASL_SCOPE: 'kafka' };
    const client = { KAFKA_SASL_USERNAME: 'us', KAFKA_SASL_PASSWORD: 'hush' };
    expect(tokenOf({ ...server, ...client })).toMatchObject({
      token: { is: 'server', url: 'https://id.example.com/token', client: 'us', secret: 'hush', scope: 'kafka' },
    });
    expect(Object.keys(problemsOf(bearer))).toEqual(['KAFKA_SASL_TOKEN']);
    expect(Object.keys(problemsOf({ ...bearer, ...server }))).toEqual(['KAFKA_SASL_USERNAME', 'KAFKA_SASL_PASSWORD']);
    expect(Object.keys(problemsOf({ ...bearer, ...client, KAFKA_SASL_TOKEN: 'hush' }))).toEqual([
      'KAFKA_SASL_USERNAME',
      'KAFKA_SASL_PASSWORD',
    ]);
    const inClear = { ...bearer, ...client, KAFKA_SASL_TOKEN_URL: 'http://id.example.com/token' };
    expect(Object.keys(problemsOf(inClear))).toEqual(['KAFKA_SASL_TOKEN_URL']);
  });

  it('counts for nothing with the embedded feed', () => {
    expect(feedOf({ STRONGROOM_FEED: 'embedded', ...sasl })).toEqual({ kind: 'embedded' });
  });
});

describe('a Kafka without TLS', () => {
  it('is reached on this machine alone, wherever it says that its brokers are, unless that is switched off', () => {
    const here = { KAFKA_BROKERS: 'localhost:9092', STRONGROOM_ALLOW_PLAINTEXT: '' };
    expect(feedOf(here)).toEqual({ kind: 'kafka', brokers: ['localhost:9092'], staysHere: true });
    expect(feedOf({ ...here, KAFKA_SECURITY_PROTOCOL: 'SASL_PLAINTEXT', ...sasl })).toMatchObject({ staysHere: true });
    expect(feedOf({ ...here, KAFKA_SECURITY_PROTOCOL: 'SSL' })).not.toHaveProperty('staysHere');
    expect(feedOf({ ...here, STRONGROOM_ALLOW_PLAINTEXT: 'kafka' })).not.toHaveProperty('staysHere');
  });
});

describe('the way to Kafka alone', () => {
  it('is that of a service with the same settings, and asks for nothing else', () => {
    const { STRONGROOM_DATABASE_URL: _, STRONGROOM_VAULTS: __, ...alone } = environment;
    const secured = { KAFKA_SECURITY_PROTOCOL: 'SASL_SSL', KAFKA_SSL_CA: certificate, ...sasl };
    expect(loadKafkaConfig({ ...alone, ...secured })).toEqual(feedOf(secured));
    expect(() => loadKafkaConfig({ KAFKA_BROKERS: 'kafka-1:9092' })).toThrow('STRONGROOM_ALLOW_PLAINTEXT');
    expect(() => loadKafkaConfig({ KAFKA_BROKERS: 'kafka-1' })).toThrow('like kafka-1:9092');
  });
});
