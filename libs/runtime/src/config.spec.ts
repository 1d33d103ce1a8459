import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { usualRoles } from '@strongroom/contracts';
import { environment, faultOf, key, problemsOf } from '../fixtures/configuration.js';
import { Networks } from './addresses.js';
import { keyRingOf, loadConfig, withoutEffect } from './config.js';

describe('the configuration', () => {
  let directory: string;
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'strongroom-config-'));
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  it('needs no more than a database, brokers, vaults, tokens and a key; the rest has defaults', () => {
    expect(loadConfig('api', environment)).toEqual({
      app: 'api',
      alarms: { metricSchedules: 1_000 },
      databaseUrl: environment.STRONGROOM_DATABASE_URL,
      feed: { kind: 'kafka', brokers: ['kafka-1:9092', 'kafka-2:9092'] },
      namespace: 'strongroom',
      http: { host: '127.0.0.1', port: 8779 },
      proxies: { networks: new Networks([]), header: 'x-forwarded-for' },
      customers: { networks: new Networks([]), failedLogins: { most: 20, withinMs: 900_000 } },
      ownServices: [
        { host: '127.0.0.1', port: 5432 },
        { host: 'kafka-1', port: 9092 },
        { host: 'kafka-2', port: 9092 },
        { host: '127.0.0.1', port: 8779 },
        { host: '127.0.0.1', port: 8789 },
      ],
      privateHttp: { host: '127.0.0.1', port: 8789 },
      homeRegion: 'DFW',
      vaults: new Map(['DFW', 'IAD', 'ORD'].map((region) => [region, new URL(`file:///vaults/${region}`)])),
      copyRegions: ['IAD', 'ORD'],
      identity: { kind: 'static', tokensFile: '/etc/strongroom/tokens.json' },
      audit: { keptDays: 90 },
      roles: usualRoles,
      secretKey: key,
      logLevel: 'info',
      leaseMs: 15_000,
      catchUpMs: 43_200_000,
      backupConcurrency: 3,
      engineMemoryBytes: 536_870_912,
      restoreConcurrency: 2,
      longestRestoreMs: 172_800_000,
      leastVaultBytesPerSecond: 16_384,
      longestCopyMs: 604_800_000,
      backupLimits: {
        longestMs: 172_800_000,
        leastBytesPerSecond: 16_384,
        mostBytes: 17_592_186_044_416,
        timesEstimate: 4,
      },
      copyConcurrency: 2,
      copyRetryMs: 5_000,
      copyStallMs: 600_000,
      copySources: new Map(),
      scrub: { rate: { usual: 16_777_216, byRegion: new Map() }, everyMs: 2_592_000_000 },
      sweepGraceMs: 86_400_000,
      transferLimits: new Map(),
      transfersAtATime: new Map(),
      freeSpaceReserveBytes: 268_435_456,
      maxCopyAttempts: 100,
      buildsServers: false,
      mostBuiltServers: 16,
      guests: { users: undefined, mostProcesses: 256, command: undefined },
      deletion: { delayMs: 604_800_000, minimumRetention: { usualMs: 0, byAccount: new Map() }, bulkLimit: 0 },
      mostSchedules: 10_000,
      mostWebhooks: 20,
      quotas: {
        instances: { usual: 10_000, byAccount: new Map() },
        'built-servers': { usual: 16, byAccount: new Map() },
        'stored-gib': { usual: null, byAccount: new Map() },
        backups: { usual: 16, byAccount: new Map() },
        copies: { usual: null, byAccount: new Map() },
        streams: { usual: 20, byAccount: new Map() },
      },
      mostConnections: 2_000,
      mostConnectionsOfAddress: 1_000,
      mostStreams: 1_000,
      mostWrongTokens: 300,
      pageLimits: {
        backups: 20,
        schedules: 100,
        instances: 20,
        runs: 100,
        events: 100,
        audit: 100,
        webhooks: 100,
        deliveries: 100,
      },
      rateLimits: [
        { of: 'GET', requests: 12_000, seconds: 60 },
        { of: '*', requests: 1_200, seconds: 60 },
      ],
      supervised: false,
    });
  });

  it('believes proxies about addresses only where they are listed, and never everybody', () => {
    const proxiesOf = (env: Record<string, string>) => loadConfig('api', { ...environment, ...env }).proxies;
    expect(proxiesOf({}).networks.networks).toEqual([]);
    const given = { STRONGROOM_TRUSTED_PROXIES: '10.0.0.4, 2001:db8::/64', STRONGROOM_FORWARDED_HEADER: 'forwarded' };
    expect(proxiesOf(given)).toMatchObject({
      networks: {
        networks: [
          ['10.0.0.4', 32],
          ['2001:db8::', 64],
        ],
      },
      header: 'forwarded',
    });
    for (const wrong of ['proxy.example.com', '10.0.0.0/33', '0.0.0.0/0', '10.0.0.4,::/0', 'true']) {
      const problems = problemsOf('api', { ...environment, STRONGROOM_TRUSTED_PROXIES: wrong });
      expect(Object.keys(problems)).toEqual(['STRONGROOM_TRUSTED_PROXIES']);
    }
  });

  it('gives each app a port of its own', () => {
    const ports = (['api', 'scheduler', 'replicator'] as const).map((app) => loadConfig(app, environment).http.port);
    expect(ports).toEqual([8779, 8780, 8781]);
  });

  it('serves what is for operators beside the port of the clients', () => {
    const at = (env: Record<string, string>) => loadConfig('api', { ...environment, ...env }).privateHttp;
    expect(at({ STRONGROOM_HTTP_PORT: '18000' })).toEqual({ host: '127.0.0.1', port: 18_010 });
    expect(at({ STRONGROOM_HTTP_PORT: '0' })).toEqual({ host: '127.0.0.1', port: 0 });
    expect(at({ STRONGROOM_HTTP_PORT: '65530' })).toEqual({ host: '127.0.0.1', port: 65_520 });
    expect(at({ STRONGROOM_PRIVATE_HOST: '10.0.0.1', STRONGROOM_PRIVATE_PORT: '9100' })).toEqual({
      host: '10.0.0.1',
      port: 9_100,
    });
    expect(loadConfig('scheduler', environment).privateHttp).toBeUndefined();
  });

  it('asks an app only for the secrets that it uses', () => {
    const { STRONGROOM_SECRET_KEY: _key, STRONGROOM_TOKENS_FILE: _tokens, ...rest } = environment;
    expect(loadConfig('replicator', rest).secretKey).toBeUndefined();
    expect(Object.keys(problemsOf('scheduler', rest))).toEqual(['STRONGROOM_SECRET_KEY']);
    expect(Object.keys(problemsOf('api', rest))).toEqual(['STRONGROOM_TOKENS_FILE', 'STRONGROOM_SECRET_KEY']);
  });

  it('requires the settings of Keystone when Keystone says who calls', () => {
    const { STRONGROOM_TOKENS_FILE: _tokens, ...rest } = environment;
    const keystone = { ...rest, STRONGROOM_IDENTITY: 'keystone' };
    expect(Object.keys(problemsOf('api', keystone))).toEqual([
      'STRONGROOM_KEYSTONE_URL',
      'STRONGROOM_KEYSTONE_PASSWORD',
    ]);
    const whole = {
      ...keystone,
      STRONGROOM_KEYSTONE_URL: 'https://keystone.example.com:5000',
      STRONGROOM_KEYSTONE_PASSWORD: 'secret',
      STRONGROOM_KEYSTONE_ROLES: 'Owner=admin,auditor=observer',
    };
    expect(loadConfig('api', whole).identity).toMatchObject({
      kind: 'keystone',
      user: { name: 'strongroom', password: 'secret', project: 'service' },
      account: 'project-id',
      roles: new Map([
        ['owner', 'admin'],
        ['auditor', 'observer'],
      ]),
      cacheMs: 60_000,
    });
    expect(problemsOf('api', { ...whole, STRONGROOM_KEYSTONE_ROLES: 'owner=king' })).toEqual({
      STRONGROOM_KEYSTONE_ROLES: expect.stringContaining('must be like admin=admin'),
    });
    const roles = { STRONGROOM_ROLES: 'king=*', STRONGROOM_KEYSTONE_ROLES: 'owner=king' };
    expect(Object.keys(problemsOf('api', { ...whole, ...roles }))).toEqual(['STRONGROOM_ROLES']);
    expect(loadConfig('api', { ...whole, ...roles, STRONGROOM_ROLES: 'king=admin !restore' }).identity).toMatchObject({
      roles: new Map([['owner', 'king']]),
    });
  });

  it('sends tokens to a Keystone on another machine by https alone, unless that is switched off', () => {
    const withKeystone = {
      ...environment,
      STRONGROOM_IDENTITY: 'keystone',
      STRONGROOM_KEYSTONE_PASSWORD: 'secret',
    };
    const of = (url: string) => problemsOf('api', { ...withKeystone, STRONGROOM_KEYSTONE_URL: url });
    for (const url of ['http://127.0.0.1:5000', 'http://127.8.9.10', 'http://localhost:5000', 'http://[::1]:5000']) {
      expect(loadConfig('api', { ...withKeystone, STRONGROOM_KEYSTONE_URL: url }).identity?.kind).toBe('keystone');
    }
    for (const url of [
      'http://keystone:5000',
      'http://10.0.0.1:5000',
      'http://127.0.0.1.example.com',
      'http://localhost.example.com',
      'http://0.0.0.0:5000',
      'http://[::ffff:10.0.0.1]',
      'http://127.0.0.1@keystone',
    ]) {
      expect(of(url)).toEqual({
        STRONGROOM_KEYSTONE_URL: expect.stringContaining('STRONGROOM_ALLOW_PLAINTEXT to keystone'),
      });
      const plain = { ...withKeystone, STRONGROOM_KEYSTONE_URL: url, STRONGROOM_ALLOW_PLAINTEXT: 'kafka,keystone' };
      expect(loadConfig('api', plain).identity?.kind).toBe('keystone');
    }
  });

  it('reads the rights of roles, and names a word that is none', () => {
    const of = (value: string) => loadConfig('api', { ...environment, STRONGROOM_ROLES: value }).roles;
    expect(loadConfig('api', environment).roles.get('creator')).toContain('restore');
    const roles = of('creator=creator !restore, auditor=observer audit.read,  holder=backup.hold');
    expect(roles.get('creator')).not.toContain('restore');
    expect(roles.get('creator')).toContain('backup.create');
    expect(roles.get('auditor')).toEqual(expect.arrayContaining(['audit.read', 'event.read']));
    expect(roles.get('holder')).toEqual(['backup.hold']);
    expect(roles.get('admin')).toContain('backup.delete');
    expect(problemsOf('api', { ...environment, STRONGROOM_ROLES: 'holder=backup.holt' })).toEqual({
      STRONGROOM_ROLES: expect.stringContaining('backup.holt'),
    });
    for (const wrong of ['holder', 'holder=', '=restore', 'a=b=c', 'x y=restore', ',']) {
      expect(Object.keys(problemsOf('api', { ...environment, STRONGROOM_ROLES: wrong }))).toEqual(['STRONGROOM_ROLES']);
    }
  });

  it('knows each service of the deployment that it is told of, which no instance leads to', () => {
    const all = {
      ...environment,
      STRONGROOM_KEYSTONE_URL: 'https://keystone.example.com',
      STRONGROOM_AUDIT_SYSLOG: '127.0.0.1:601',
      KAFKA_BROKERS: 'kafka-1:9092,[fd12::7]:9093',
      ...{ KAFKA_SECURITY_PROTOCOL: 'SASL_SSL', KAFKA_SASL_MECHANISM: 'OAUTHBEARER' },
      ...{
        KAFKA_SASL_USERNAME: 'u',
        KAFKA_SASL_PASSWORD: 'p',
        KAFKA_SASL_TOKEN_URL: 'https://id.example.com:8443/token',
      },
    };
    for (const app of ['api', 'scheduler'] as const) {
      const { ownServices } = loadConfig(app, all);
      expect(ownServices).toEqual(
        expect.arrayContaining([
          ...[
            { host: 'kafka-1', port: 9092 },
            { host: '[fd12::7]', port: 9093 },
          ],
          { host: 'keystone.example.com', port: 443 },
          { host: 'id.example.com', port: 8443 },
          { host: '127.0.0.1', port: 601 },
        ]),
      );
    }
  });

  it('reads where clients reach the API', () => {
    const url = (value: string) => loadConfig('api', { ...environment, STRONGROOM_PUBLIC_URL: value }).publicUrl;
    expect(url('https://backups.example.com')).toBe('https://backups.example.com');
    expect(url('https://example.com:8443/backups/')).toBe('https://example.com:8443/backups');
    for (const wrong of ['backups.example.com', 'ftp://x', 'https://me:hush@x', 'https://x/?a=b', 'https://x/#a']) {
      expect(Object.keys(problemsOf('api', { ...environment, STRONGROOM_PUBLIC_URL: wrong }))).toEqual([
        'STRONGROOM_PUBLIC_URL',
      ]);
    }
  });

  it('refuses copies to LON, which may still be the home region', () => {
    const vaults = { ...environment, STRONGROOM_VAULTS: 'DFW=file:///a,LON=file:///b' };
    expect(problemsOf('replicator', vaults)).toEqual({
      STRONGROOM_VAULTS: expect.stringContaining('copies to that region are not supported'),
    });
    expect(loadConfig('replicator', { ...vaults, STRONGROOM_HOME_REGION: 'LON' }).copyRegions).toEqual(['DFW']);
  });

  it('needs no brokers with the embedded feed', () => {
    const embedded = { ...environment, STRONGROOM_FEED: 'embedded', KAFKA_BROKERS: '' };
    expect(loadConfig('scheduler', embedded).feed).toEqual({ kind: 'embedded' });
    expect(problemsOf('scheduler', { ...environment, KAFKA_BROKERS: '' })).toEqual({
      KAFKA_BROKERS: 'is not set; it must be like kafka-1:9092,kafka-2:9092 when STRONGROOM_FEED is kafka',
    });
  });

  it('reads times in seconds and minutes', () => {
    const timed = {
      STRONGROOM_LEASE_SECONDS: '2.5',
      STRONGROOM_CATCH_UP_MINUTES: '10',
      STRONGROOM_COPY_RETRY_SECONDS: '0',
      STRONGROOM_COPY_STALL_SECONDS: '90',
    };
    expect(loadConfig('api', { ...environment, ...timed })).toMatchObject({
      leaseMs: 2_500,
      catchUpMs: 600_000,
      copyRetryMs: 0,
      copyStallMs: 90_000,
    });
  });

  it('names every wrong variable at once, with what it may be', () => {
    const wrong = {
      STRONGROOM_DATABASE_URL: 'mysql://127.0.0.1/strongroom',
      STRONGROOM_HTTP_PORT: '70000',
      STRONGROOM_LOG_LEVEL: 'loud',
      STRONGROOM_VAULTS: 'DFW=file:///a,DFW=file:///b',
      KAFKA_BROKERS: 'kafka-1',
      STRONGROOM_SUPERVISED: 'yes',
    };
    expect(problemsOf('replicator', wrong)).toEqual({
      STRONGROOM_DATABASE_URL: 'is not of the right form; it must be like postgres://user:password@host:5432/database',
      STRONGROOM_HTTP_PORT: 'is "70000"; it must be an integer from 0 to 65535; 0 takes any free port',
      STRONGROOM_LOG_LEVEL: 'is "loud"; it must be one of trace, debug, info, warn, error, fatal, silent',
      STRONGROOM_VAULTS: 'is not of the right form; it must name each region once, and names DFW twice',
      KAFKA_BROKERS: 'is "kafka-1"; it must be like kafka-1:9092,kafka-2:9092',
      STRONGROOM_SUPERVISED: 'is "yes"; it must be 0 or 1',
    });
  });

  it('wants a vault for the home region', () => {
    expect(problemsOf('api', { ...environment, STRONGROOM_HOME_REGION: 'SYD' })).toEqual({
      STRONGROOM_HOME_REGION: 'is SYD; it must be a region of STRONGROOM_VAULTS: DFW, IAD, ORD',
    });
  });

  it('builds servers only when that is switched on, and says what is missing for it', () => {
    const folder = { STRONGROOM_INSTANCES_DIR: '/srv/built' };
    const scheduler = (more: NodeJS.ProcessEnv) => loadConfig('scheduler', { ...environment, ...more });
    expect(scheduler(folder)).toMatchObject({ buildsServers: false });
    expect(scheduler(folder).instancesFolder).toBeUndefined();
    expect(withoutEffect(folder)).toEqual([expect.stringContaining('STRONGROOM_BUILT_SERVERS=on')]);
    const on = { ...folder, STRONGROOM_BUILT_SERVERS: 'on' };
    expect(withoutEffect(on)).toEqual([]);
    expect(scheduler({ ...on, STRONGROOM_BUILT_SERVERS_UIDS: '700000-700016' })).toMatchObject({
      buildsServers: true,
      instancesFolder: '/srv/built',
      mostBuiltServers: 16,
      guests: { users: { first: 700_000, last: 700_015 } },
      engineUser: { uid: 700_016, gid: 700_016 },
    });
    expect(
      scheduler({ ...on, STRONGROOM_BUILT_SERVERS_COMMAND: '/usr/bin/bwrap --bind {folder}  {folder}' }).guests.command,
    ).toEqual(['/usr/bin/bwrap', '--bind', '{folder}', '{folder}']);
    const problems = (more: NodeJS.ProcessEnv) => faultOf('scheduler', { ...environment, ...more }).problems;
    expect(problems({ STRONGROOM_BUILT_SERVERS: 'on' })).toEqual([
      { variable: 'STRONGROOM_INSTANCES_DIR', problem: expect.stringContaining('needs a folder') },
    ]);
    for (const users of ['700000-700015', '0-16', '700016-700000', '99999999999-99999999999', 'postgres']) {
      expect(problems({ ...on, STRONGROOM_BUILT_SERVERS_UIDS: users })).toHaveLength(1);
    }
    expect(problems({ ...on, STRONGROOM_BUILT_SERVERS_COMMAND: 'bwrap' })).toHaveLength(1);
    expect(loadConfig('api', { ...environment, STRONGROOM_BUILT_SERVERS: 'on' }).buildsServers).toBe(true);
  });

  it('takes secrets from files', () => {
    const url = join(directory, 'url');
    const secret = join(directory, 'key');
    writeFileSync(url, `${environment.STRONGROOM_DATABASE_URL}\n`);
    writeFileSync(secret, `${environment.STRONGROOM_SECRET_KEY}\n`);
    const { STRONGROOM_SECRET_KEY: _key, STRONGROOM_DATABASE_URL: _url, ...rest } = environment;
    const files = { STRONGROOM_DATABASE_URL_FILE: url, STRONGROOM_SECRET_KEY_FILE: secret };
    expect(loadConfig('api', { ...rest, ...files })).toMatchObject({
      databaseUrl: environment.STRONGROOM_DATABASE_URL,
      secretKey: key,
    });
    expect(problemsOf('api', { ...environment, ...files })).toEqual({
      STRONGROOM_DATABASE_URL_FILE: 'and STRONGROOM_DATABASE_URL are both set; set one of them',
      STRONGROOM_SECRET_KEY_FILE: 'and STRONGROOM_SECRET_KEY are both set; set one of them',
    });
    const missing = { STRONGROOM_DATABASE_URL_FILE: join(directory, 'none') };
    expect(Object.keys(problemsOf('api', { ...rest, ...files, ...missing }))).toEqual(['STRONGROOM_DATABASE_URL_FILE']);
  });

  it('takes several keys, of which the first seals, and knows the file that they came from', () => {
    const former = Buffer.alloc(32, 2);
    const text = [key, former].map((each) => each.toString('base64')).join(',');
    const config = loadConfig('api', { ...environment, STRONGROOM_SECRET_KEY: text });
    expect(config).toMatchObject({ secretKey: key, formerSecretKeys: [former] });
    expect(config.secretKeyFile).toBeUndefined();
    expect(keyRingOf(config).all.map(({ bytes }) => bytes)).toEqual([key, former]);
    const secretKeyFile = join(directory, 'ring');
    writeFileSync(secretKeyFile, text);
    const { STRONGROOM_SECRET_KEY: _, ...rest } = environment;
    expect(loadConfig('api', { ...rest, STRONGROOM_SECRET_KEY_FILE: secretKeyFile })).toMatchObject({ secretKeyFile });
    expect(Object.keys(problemsOf('api', { ...environment, STRONGROOM_SECRET_KEY: `${text},half` }))).toEqual([
      'STRONGROOM_SECRET_KEY',
    ]);
  });

  it('never tells a secret, however wrong it is', () => {
    const { message } = faultOf('api', {
      ...environment,
      STRONGROOM_DATABASE_URL: 'postgres:/strongroom:hush@host/db',
      STRONGROOM_SECRET_KEY: 'bm90LTMyLWJ5dGVz',
      STRONGROOM_VAULTS: 'DFW=https//key:hush@store',
    });
    expect(message).not.toMatch(/hush|bm90/);
    expect(message).toContain('STRONGROOM_SECRET_KEY is not of the right form; it must be 32 bytes in base64');
  });
});
