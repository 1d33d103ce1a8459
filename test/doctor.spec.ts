import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { migrateDatabase } from '@strongroom/database';
import { accountId, Gateway } from '../apps/api/fixtures/gateway.js';
import { exitCodes } from '../apps/cli/src/exit-codes.js';
import type { AppProcess } from './app-process.js';
import { CustomerDatabase } from './customer-database.js';
import { Deployment } from './deployment.js';
import { eventually } from './services/eventually.js';
import { type Examined, examined, notWell } from './services/examined.js';
import { feedForTests } from './services/feed.js';
import { describeWithVersity, type S3Server } from './services/s3-servers.js';

const slow = { withinMs: 30_000 };

let folder: string;
let customer: CustomerDatabase;
let strongroom: Deployment;
let api: AppProcess;
let instance: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'strongroom-doctor-'));
  customer = await CustomerDatabase.start({ megabytes: 1 });
  await setting('summarize_wal', 'on');
  strongroom = await Deployment.create();
  [api] = await strongroom.startAll();
  instance = await strongroom.register(api, customer.server);
}, 300_000);
afterAll(async () => {
  await strongroom?.remove();
  await customer?.stop();
  await rm(folder, { recursive: true, force: true });
});

/** Sets what the server was not started with, which would count instead. */
async function setting(name: string, value: string): Promise<void> {
  await customer.query(`alter system set ${name} = ${value}`);
  await customer.query('select pg_reload_conf()');
  await eventually(async () => expect(await customer.query(`show ${name}`)).toEqual([{ [name]: value }]), slow);
}

function look(only: string): Promise<Examined> {
  const feed = feedForTests();
  const env = {
    STRONGROOM_DATABASE_URL: strongroom.databaseUrl,
    STRONGROOM_VAULTS: strongroom.vaults.urls,
    STRONGROOM_RECIPIENTS: 'none',
    STRONGROOM_FEED: feed.kind,
    STRONGROOM_NAMESPACE: `test-${new URL(strongroom.databaseUrl).pathname.slice(1)}`,
    ...(feed.kind === 'kafka' && { KAFKA_BROKERS: feed.brokers }),
    STRONGROOM_URL: api.url,
    STRONGROOM_ACCOUNT: strongroom.accountId,
    STRONGROOM_TOKEN: strongroom.token(),
  };
  return examined(only, env, folder);
}

it('has nothing to say against a deployment that works, and ends with 0', async () => {
  await eventually(async () => {
    const found = await look('vaults,kafka,instances');
    expect(notWell(found)).toEqual([]);
    expect(found.code).toBe(exitCodes.done);
    expect(found.findings.map(({ check }) => check)).toEqual(
      expect.arrayContaining(['reach', 'identity', 'conditional put', 'lock', 'keys', 'clock', 'full backups', 'tls']),
    );
  }, slow);
}, 60_000);

describe('the server of an instance', () => {
  const again = () => `Then try again: strongroom instance test ${instance}`;
  const ofServer = async () => (await look('instances')).findings.filter(({ about }) => about !== 'service');
  /** Has slots on the server, so that so many are in use. */
  const slots = (count: number) =>
    customer.query(`select pg_create_physical_replication_slot('other_' || n) from generate_series(1, ${count}) as n`);
  afterEach(() =>
    customer.query("select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name ~ '^other_'"),
  );

  it('whose user may not replicate gives no backup, and the right is named with the statement that gives it', async () => {
    await customer.query('alter role backup noreplication');
    try {
      const { code, findings } = await look('instances');
      expect(code).toBe(exitCodes.failed);
      expect(findings).toContainEqual(
        expect.objectContaining({
          part: 'instances',
          check: 'full backups',
          result: 'failed',
          says: expect.stringContaining('ALTER ROLE "backup" REPLICATION'),
          next: again(),
        }),
      );
    } finally {
      await customer.query('alter role backup replication');
    }
    expect((await look('instances')).code).toBe(exitCodes.done);
  });

  it('that does not summarize its WAL gives full backups alone, and the setting is named', async () => {
    await setting('summarize_wal', 'off');
    try {
      const { code, findings } = await look('instances');
      expect(code).toBe(exitCodes.done);
      expect(findings).toContainEqual(expect.objectContaining({ check: 'full backups', result: 'ok' }));
      expect(findings).toContainEqual(
        expect.objectContaining({
          check: 'incremental backups',
          result: 'warning',
          says: expect.stringContaining('Set summarize_wal = on'),
          next: again(),
        }),
      );
    } finally {
      await setting('summarize_wal', 'on');
    }
  });

  it('that has no slot left gives no backup, and with one slot no incremental ones', async () => {
    await slots(9);
    expect(await ofServer()).toContainEqual(
      expect.objectContaining({
        check: 'incremental backups',
        result: 'warning',
        says: expect.stringMatching(/Of 10 replication slots 9 are in use.*Raise max_replication_slots/),
      }),
    );
    await customer.query("select pg_create_physical_replication_slot('other_last')");
    const { code, findings } = await look('instances');
    expect(code).toBe(exitCodes.failed);
    expect(findings).toContainEqual(
      expect.objectContaining({
        check: 'full backups',
        result: 'failed',
        says: expect.stringMatching(/All 10 replication slots are in use.*drop a slot that nobody needs/),
        next: again(),
      }),
    );
  });

  it('that is not there, or is asked for TLS and has none, is told of in its own words, and the others are looked at', async () => {
    const { instances } = strongroom.client(api);
    const server = { ...customer.server, tls: 'verify-full' } as const;
    const withTls = await strongroom.register(api, server);
    const gone = await strongroom.register(api, { ...customer.server, port: 1 });
    // Nobody's address (RFC 5737).
    const away = await instances.register({
      name: 'away',
      datastore: { type: 'postgresql', version: '18' },
      connection: { host: '192.0.2.1', port: 5432, user: 'backup', password: 'open sesame', tls: 'require' },
    });
    try {
      const { code, findings } = await look('instances');
      expect(code).toBe(exitCodes.failed);
      const nameOf = async (id: string) => (await instances.get(id)).name;
      const full = async (id: string) => {
        const name = await nameOf(id);
        return findings.find(({ about, check }) => about === name && check === 'full backups');
      };
      expect(await full(withTls)).toMatchObject({ result: 'failed', says: expect.stringContaining('SSL') });
      expect(await full(gone)).toMatchObject({ result: 'failed', says: expect.stringContaining('127.0.0.1:1') });
      expect(await full(instance)).toMatchObject({ result: 'ok' });
      expect(findings).toContainEqual({
        part: 'instances',
        about: 'away',
        check: 'tls',
        result: 'warning',
        says: expect.stringContaining('whoever sits between'),
        next: `Run: strongroom instance update ${away.id} --tls verify-full`,
      });
    } finally {
      for (const id of [withTls, gone, away.id]) await instances.delete(id);
    }
  }, 60_000);
});

describe('the clock of the server of an instance', () => {
  /** How far the clock of the server is ahead of the service's, whose own is wrong. The service runs in this process. */
  async function clockWhere(aheadMs: number) {
    const now = Date.now;
    const ours = jest.spyOn(Date, 'now').mockImplementation(() => now.call(Date) - aheadMs);
    const env = {
      STRONGROOM_URL: gateway.url,
      STRONGROOM_ACCOUNT: accountId,
      STRONGROOM_TOKEN: gateway.tokenOf('admin'),
    };
    const { findings } = await examined('instances', env, folder).finally(() => ours.mockRestore());
    return findings.find(({ about, check }) => about === 'clocked' && check === 'clock');
  }
  let gateway: Gateway;
  beforeAll(async () => {
    gateway = await Gateway.open();
    await gateway.register('admin', { name: 'clocked', connection: customer.server });
  }, 60_000);
  afterAll(() => gateway?.close());

  it('is well when it tells the time of the service, and is told of with what to do when it does not', async () => {
    expect(await clockWhere(0)).toMatchObject({ result: 'ok', next: null });
    expect(await clockWhere(90_000)).toMatchObject({
      result: 'warning',
      says: expect.stringMatching(/^The clock of its server is \d\d\.\d s ahead of that of the service\.$/),
      next: expect.stringContaining('NTP'),
    });
    expect(await clockWhere(-90_000)).toMatchObject({
      result: 'warning',
      says: expect.stringContaining('s behind that of the service'),
    });
  }, 60_000);
});

describe('the database of the ledger', () => {
  it('that keeps what it has acknowledged is well, and each setting that loses some of it is told of', async () => {
    const own = await CustomerDatabase.start({ megabytes: 1, settings: { fsync: 'on' } });
    try {
      await migrateDatabase(own.url, 'doctor-spec');
      const lookAtIt = () => examined('database', { STRONGROOM_DATABASE_URL: own.url }, folder);
      const well = await lookAtIt();
      expect([notWell(well), well.code]).toEqual([[], exitCodes.done]);
      await own.query('alter system set full_page_writes = off');
      await own.query('select pg_reload_conf()');
      await eventually(async () => {
        const found = await lookAtIt();
        expect(notWell(found)).toMatchObject([
          { check: 'full_page_writes', result: 'failed', next: 'Set full_page_writes = on, and reload the server.' },
        ]);
        expect(found.code).toBe(exitCodes.failed);
      }, slow);
    } finally {
      await own.stop();
    }
  }, 120_000);
});

describeWithVersity('a vault in a bucket', (start) => {
  let store: S3Server;
  beforeAll(async () => {
    store = await start();
  });
  afterAll(() => store?.stop());

  const lookAt = (url: URL) =>
    examined('vaults', { STRONGROOM_VAULTS: `DFW=${url}`, STRONGROOM_RECIPIENTS: 'none' }, folder);
  const reach = ({ findings }: Examined) => findings.find(({ check }) => check === 'reach');

  it('that is to lock objects is tried, and is well but for the vault that nobody has made yet', async () => {
    const found = await lookAt(store.vaultUrl(await store.bucket({ locks: true }), { lock: 'governance' }));
    expect(found.code).toBe(exitCodes.done);
    expect(notWell(found)).toMatchObject([{ check: 'identity', result: 'warning' }]);
    expect(found.findings).toContainEqual(
      expect.objectContaining({ check: 'lock', says: expect.stringContaining('its bucket has Object Lock') }),
    );
    expect(found.findings).toContainEqual(expect.objectContaining({ check: 'conditional put', result: 'ok' }));
  });

  it('that is to lock objects and cannot is told of before a backup fails by it', async () => {
    const found = await lookAt(store.vaultUrl(await store.bucket(), { lock: 'compliance' }));
    expect(found.code).toBe(exitCodes.failed);
    expect(found.findings).toContainEqual(
      expect.objectContaining({
        check: 'lock',
        result: 'failed',
        says: expect.stringContaining('its bucket has no Object Lock'),
        next: expect.stringContaining('leave lock= out of STRONGROOM_VAULTS'),
      }),
    );
  });

  it('that is not there, or does not take our keys, is told of with what to do', async () => {
    const plain = await store.bucket();
    const wrongKeys = join(folder, 'wrong-keys.json');
    await writeFile(wrongKeys, JSON.stringify({ accessKeyId: 'tester', secretAccessKey: 'of-somebody-else' }), {
      mode: 0o600,
    });
    for (const [url, says] of [
      [store.vaultUrl('not-there'), /not-there|bucket/],
      [store.vaultUrl(plain, { credentials: wrongKeys }), /key|credential|denied|signature/i],
    ] as const) {
      const found = await lookAt(url);
      expect(found.code).toBe(exitCodes.failed);
      expect(reach(found)).toMatchObject({
        result: 'failed',
        says: expect.stringMatching(says),
        next: expect.stringContaining('STRONGROOM_VAULTS'),
      });
    }
  }, 60_000);
});
