import { describe, expect, it } from '@jest/globals';
import { CertificateAuthority } from '../../../test/services/certificates.js';
import { ConfigFault, loadConfig } from './config.js';
import { placeOfDatabase, whyNotVerified } from './database-url.js';

const environment = {
  STRONGROOM_DATABASE_URL: 'postgres://strongroom:hush@127.0.0.1:5432/strongroom',
  STRONGROOM_FEED: 'embedded',
  STRONGROOM_VAULTS: 'DFW=file:///vaults/DFW',
  STRONGROOM_TOKENS_FILE: '/etc/strongroom/tokens.json',
  STRONGROOM_SECRET_KEY: Buffer.alloc(32, 7).toString('base64'),
};

function problemsOf(env: NodeJS.ProcessEnv): Record<string, string> {
  try {
    loadConfig('api', { ...environment, ...env });
  } catch (error) {
    if (!(error instanceof ConfigFault)) throw error;
    expect(error.message).not.toMatch(/hush|PRIVATE/);
    return Object.fromEntries(error.problems.map(({ variable, problem }) => [variable, problem]));
  }
  return {};
}

describe('a vault in a bucket', () => {
  const at = (endpoint: string) => ({
    STRONGROOM_VAULTS: `DFW=s3://backups?endpoint=${endpoint}&credentials=/run/secrets/hush.json`,
  });

  it('is not reached in clear over a network, unless somebody said so', () => {
    for (const endpoint of ['https://s3.example.com', 'http://127.0.0.1:9000', 'http://localhost:9000'])
      expect(problemsOf(at(endpoint))).toEqual({});
    const away = at('http://s3.example.com:9000');
    expect(problemsOf(away)).toEqual({
      STRONGROOM_VAULTS: expect.stringMatching(/DFW by http.*s3\.example\.com in clear.*ALLOW_PLAINTEXT to vaults/),
    });
    expect(problemsOf({ ...away, STRONGROOM_ALLOW_PLAINTEXT: 'database,vaults' })).toEqual({});
  });
});

describe('the URL of the database', () => {
  it.each([
    'postgres://u:hush@127.0.0.1/d',
    'postgres://u:hush@localhost:5433/d?sslmode=disable',
    'postgres://u:hush@[::1]/d',
    'postgres://u:hush@db/d?host=/var/run/postgresql',
    'postgres://u:hush@db/d?sslmode=verify-full',
    'postgres://u:hush@db/d?sslmode=disable&sslmode=verify-full&sslrootcert=/ca.pem',
  ])('is taken: %s', (url) => {
    expect(whyNotVerified(url)).toBeUndefined();
  });

  it.each([
    'postgres://u:hush@db/d',
    'postgres://u:hush@10.0.0.1/d?sslmode=disable',
    'postgres://u:hush@db/d?sslmode=require',
    'postgres://u:hush@db/d?sslmode=verify-ca&sslrootcert=/ca.pem',
    'postgres://u:hush@db/d?sslmode=no-verify',
    'postgres://u:hush@db/d?ssl=true',
    // The last one counts, and a parameter goes before the host of the URL.
    'postgres://u:hush@db/d?sslmode=verify-full&sslmode=disable',
    'postgres://u:hush@127.0.0.1/d?host=db',
    'postgres://u:hush@0.0.0.0/d',
  ])('is refused, with what to do, and without its password: %s', (url) => {
    const problems = problemsOf({ STRONGROOM_DATABASE_URL: url });
    expect(problems).toEqual({
      STRONGROOM_DATABASE_URL: expect.stringMatching(/sslmode=verify-full.*STRONGROOM_ALLOW_PLAINTEXT to database/),
    });
    expect(problemsOf({ STRONGROOM_DATABASE_URL: url, STRONGROOM_ALLOW_PLAINTEXT: 'database' })).toEqual({});
    expect(problemsOf({ STRONGROOM_DATABASE_URL: url, STRONGROOM_ALLOW_PLAINTEXT: 'kafka' })).toEqual(problems);
  });

  it('tells where the database is, as the client reads it', () => {
    expect(placeOfDatabase('postgres://u@db/d')).toEqual({ host: 'db', port: 5432 });
    expect(placeOfDatabase('postgres://u@db:1/d?host=other&port=2')).toEqual({ host: 'other', port: 2 });
  });
});

describe('what may be reached for customers', () => {
  it('is what the operator lists, of networks that are not public', () => {
    const { customers } = loadConfig('api', {
      ...environment,
      STRONGROOM_CUSTOMER_NETWORKS: '10.1.0.0/16, fd12::/16,127.0.0.1',
      STRONGROOM_MIN_TLS: 'verify-ca',
      STRONGROOM_FAILED_LOGINS: '5/60',
    });
    expect(['10.1.2.3', 'fd12::1', '127.0.0.1'].every((each) => customers.networks.has(each))).toBe(true);
    expect(['10.2.0.1', '127.0.0.2'].some((each) => customers.networks.has(each))).toBe(false);
    expect(customers).toMatchObject({ minTls: 'verify-ca', failedLogins: { most: 5, withinMs: 60_000 } });
  });

  it.each([
    ['STRONGROOM_CUSTOMER_NETWORKS', '0.0.0.0/0'],
    ['STRONGROOM_CUSTOMER_NETWORKS', '10.0.0.0/4'],
    ['STRONGROOM_CUSTOMER_NETWORKS', '::/0'],
    ['STRONGROOM_CUSTOMER_NETWORKS', '10.0.0.0/8,db'],
    ['STRONGROOM_CUSTOMER_NETWORKS', '169.254.169.254/32,224.0.0.0/4'],
    ['STRONGROOM_MIN_TLS', 'prefer'],
    ['STRONGROOM_FAILED_LOGINS', '20'],
    ['STRONGROOM_FAILED_LOGINS', '20/0'],
    ['STRONGROOM_ALLOW_PLAINTEXT', 'all'],
  ])('is refused as %s=%s', (name, value) => {
    expect(problemsOf({ [name]: value })).toEqual({ [name]: expect.stringContaining('it must be ') });
  });
});

describe('the certificate of the API', () => {
  const authority = CertificateAuthority.create('authority');
  const { certificate, key } = authority.issue({ name: 'api', hosts: ['localhost'] });

  it('comes with its key', () => {
    const pair = { STRONGROOM_TLS_CERT: certificate, STRONGROOM_TLS_KEY: key };
    expect(loadConfig('api', { ...environment, ...pair }).http.tls).toEqual({
      certificate,
      key,
    });
    expect(loadConfig('api', environment).http).not.toHaveProperty('tls');
    expect(Object.keys(problemsOf({ STRONGROOM_TLS_CERT: certificate }))).toEqual(['STRONGROOM_TLS_KEY']);
    expect(Object.keys(problemsOf({ STRONGROOM_TLS_KEY: key }))).toEqual(['STRONGROOM_TLS_CERT']);
    const other = authority.issue({ name: 'other' }).key;
    expect(problemsOf({ ...pair, STRONGROOM_TLS_KEY: other })).toEqual({
      STRONGROOM_TLS_KEY: expect.stringContaining('is not the key of STRONGROOM_TLS_CERT'),
    });
  });
});
