/** The catalog of a vault, as an operator has it made who has lost the ledger: with the vaults and a database that is empty. */
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type StoredManifest, unknownVersion } from '@strongroom/contracts';
import { recipientFrom } from '@strongroom/encryption';
import { storeBackup } from '@strongroom/engines';
import { Ledger } from '@strongroom/ledger';
import { Backups, Copies, Views, viewTables } from '@strongroom/read-model';
import { SystemClock } from '@strongroom/runtime/light';
import { copyBackup, DirectoryVault, manifestBytes, type Vault } from '@strongroom/vault';
import type { DataSource } from 'typeorm';
import { z } from 'zod';
import { createTestDatabase, openDataSource, type TestDatabase } from '../../../test/services/database.js';
import { eventually } from '../../../test/services/eventually.js';
import { runStrongroom, startStrongroom } from '../../../test/services/run-strongroom.js';
import { giveServicesRoles, urlOfService } from '../../../test/services/service-roles.js';

const instanceId = '6f1c2b0a-0000-4000-8000-000000000001';
const startedAt = '2026-11-14T14:30:00.000Z';
const result = z.strictObject({
  region: z.string(),
  ...{ backups: z.int(), copies: z.int(), versions: z.int(), known: z.int() },
  notRecorded: z.array(z.strictObject({ backupId: z.string(), code: z.string(), reason: z.string() })),
});
const counts = z.array(z.object({ type: z.string(), count: z.int() }));

let folder: string;
let database: TestDatabase;
let dataSource: DataSource;
let backups: Backups;
let views: Views;
let home: Vault;
let away: Vault;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'strongroom-catalog-'));
  [home, away] = await Promise.all([vaultOf('DFW'), vaultOf('IAD')]);
  database = await createTestDatabase();
  await giveServicesRoles(database.url);
  const options = { url: database.url, applicationName: 'catalog-spec', entities: viewTables };
  dataSource = await openDataSource(options);
  backups = new Backups(dataSource);
  views = new Views(dataSource, new Ledger(dataSource));
});
afterEach(async () => {
  await dataSource.destroy();
  await database.drop();
  rmSync(folder, { recursive: true, force: true });
});

async function vaultOf(region: string): Promise<Vault> {
  mkdirSync(join(folder, region));
  const vault = new DirectoryVault(region, join(folder, region));
  await vault.identify();
  return vault;
}

/** What the services' scheduler may do in the database is enough. */
const env = () => ({
  STRONGROOM_DATABASE_URL: urlOfService(database.url, 'scheduler'),
  STRONGROOM_VAULTS: ['DFW', 'IAD'].map((each) => `${each}=${pathToFileURL(join(folder, each)).href}`).join(','),
});
const callOf = (region: string, ...more: string[]) => ['catalog', 'rebuild', '--from', region, ...more];
const rebuild = (region: string, ...more: string[]) => runStrongroom(callOf(region, ...more), env(), folder);

async function rebuilt(region: string, ...more: string[]) {
  const { code, stdout, output } = await rebuild(region, '--json', ...more);
  // How far it is, is told on a slow machine alone.
  const told = output
    .slice(stdout.length)
    .split('\n')
    .filter((line) => line.startsWith('strongroom: '));
  return { code, ...result.parse(JSON.parse(stdout)), told: told.join('\n') };
}

interface Stored {
  parentId?: string | null;
  accountId?: string;
  attempt?: number;
  minute?: number;
}

/** A backup of a few random bytes in the home vault. */
async function stored({ parentId = null, accountId = 'acme', attempt = 1, minute = 31 }: Stored = {}): Promise<string> {
  const backupId = randomUUID();
  const upload = await home.begin(backupId, attempt);
  const bytes = randomBytes(1_000);
  const object = await upload.put('base.tar.zst', one(bytes));
  const manifest: StoredManifest = {
    format: 'strongroom-backup/1',
    ...{ backupId, accountId, instanceId, instanceName: 'orders' },
    ...{ type: parentId === null ? 'full' : 'incremental', parentId, region: 'DFW' },
    ...{ datastore: { type: 'postgresql', version: '18.4' }, engine: { warnings: [{ said: 'A file was left out.' }] } },
    ...{ startedAt, completedAt: `2026-11-14T14:${minute}:00.000Z` },
    objects: [{ ...object, rawBytes: bytes.length, compression: 'none' }],
  };
  await upload.seal(manifestBytes(manifest));
  await upload.discard();
  return backupId;
}

async function* one(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}

/** An encrypted backup in the home vault. Its server is a few bytes in memory. */
async function storedFor(recipient: string): Promise<string> {
  const backupId = randomUUID();
  await storeBackup({
    engine: {
      readByIncrementals: [],
      backup: async () => ({
        objects: objectsOf(['base.tar', 'backup_manifest']),
        estimatedBytes: null,
        result: Promise.resolve({ datastore: { type: 'postgresql', version: '18.4' }, facts: { timeline: 1 } }),
      }),
    },
    vault: home,
    clock: new SystemClock(),
    target: {
      instanceId,
      endpoint: { host: '127.0.0.1', port: 1, user: 'nobody', database: 'postgres', tls: 'disable' },
      password: '',
    },
    backup: {
      ...{ backupId, type: 'full', parentId: null, startedAt: new Date(startedAt) },
      ...{ accountId: 'acme', instanceId, instanceName: 'bills' },
    },
    encryption: {
      format: 'age-encryption.org/v1',
      recipients: [recipientFrom(recipient, 'office safe')],
      ...{ chainRecipients: [], chainIdentities: [] },
    },
    attempt: 1,
    signal: new AbortController().signal,
  });
  return backupId;
}

async function* objectsOf(names: readonly string[]) {
  for (const name of names) yield { name, source: one(randomBytes(1_000)) };
}

/** How many events there are of each type. */
async function events(): Promise<Record<string, number>> {
  const rows = counts.parse(
    await dataSource.query('select type, count(*)::int as count from ledger_event group by type'),
  );
  return Object.fromEntries(rows.map(({ type, count }) => [type, count]));
}

/** The rows of the account's backups. */
async function listed(accountId = 'acme') {
  await views.catchUp(accountId);
  return (await backups.page(accountId, { limit: 1_000 }))?.items ?? [];
}

describe('strongroom catalog rebuild', () => {
  it('records each backup of a vault once, as one of its account, with all that its manifest says', async () => {
    const full = await stored({ attempt: 3 });
    const child = await stored({ parentId: full, minute: 32 });
    const others = await stored({ accountId: 'other' });
    const first = await rebuilt('DFW');
    expect(first).toMatchObject({ code: 0, region: 'DFW', backups: 3, copies: 0, known: 0, notRecorded: [], told: '' });
    const rows = await listed();
    expect(rows.map(({ id }) => id).sort()).toEqual([full, child].sort());
    const sealed = await home.manifest(full);
    const row = rows.find(({ id }) => id === full);
    expect(row).toMatchObject({
      ...{ accountId: 'acme', instanceId, scheduleId: null, trigger: 'catalogued', name: 'orders-20261114T1430Z' },
      ...{ type: 'full', parentId: null, status: 'COMPLETED', attempt: 3, region: 'DFW', copyTo: [] },
      ...{ location: sealed?.location, sha256: sealed?.sha256, rawBytes: 1_000, encryptedFor: null, lineage: null },
      ...{ datastoreType: 'postgresql', datastoreVersion: '18.4', createdAt: new Date(startedAt) },
      ...{ endedAt: new Date('2026-11-14T14:31:00.000Z'), facts: { warnings: [{ said: 'A file was left out.' }] } },
    });
    expect(rows.find(({ id }) => id === child)).toMatchObject({ type: 'incremental', parentId: full });
    expect((await listed('other')).map(({ id }) => id)).toEqual([others]);
    expect(await rebuilt('DFW')).toMatchObject({
      code: 0,
      backups: 0,
      copies: 0,
      versions: 0,
      known: 3,
      notRecorded: [],
    });
    expect(await events()).toEqual({ BackupCatalogued: 3 });
    expect(await dataSource.query('select kind from job')).toEqual([]);
    await views.rebuild();
    expect(await listed()).toEqual(rows);
    expect(await rebuild('DFW')).toMatchObject({
      stdout: '',
      output: expect.stringContaining(
        'DFW: 0 backups and 0 copies were recorded. 3 were known already, and 0 were not recorded.\n',
      ),
    });
  });

  it('tells by its name each backup that is broken, or whose parent is not there, and records the others', async () => {
    const whole = await stored();
    const [broken, cut, forged] = [await stored(), await stored({ parentId: randomUUID() }), await stored()];
    const onBroken = await stored({ parentId: broken, minute: 33 });
    const nobodys = await stored({ accountId: 'no account of ours' });
    const manifest = async (id: string) => join(folder, 'DFW', (await home.locationOf(id)) ?? '', 'manifest.json');
    writeFileSync(await manifest(broken), '{');
    writeFileSync(await manifest(forged), readFileSync(await manifest(whole)));
    const { code, backups: recorded, notRecorded, told } = await rebuilt('DFW');
    expect([code, recorded]).toEqual([3, 1]);
    const codes = new Map(notRecorded.map((each) => [each.backupId, each.code]));
    expect(codes).toEqual(
      new Map([
        [broken, 'manifest-invalid'],
        [forged, 'manifest-invalid'],
        [cut, 'parent-missing'],
        [onBroken, 'parent-missing'],
        [nobodys, 'manifest-invalid'],
      ]),
    );
    for (const [id, reason] of codes) expect(told).toContain(`backup ${id} is not recorded (${reason})`);
    expect((await listed()).map(({ id }) => id)).toEqual([whole]);
  });

  it('records as copies what another region holds of known backups, and as backups what only that one holds', async () => {
    const full = await stored();
    const child = await stored({ parentId: full, minute: 32 });
    for (const id of [full, child]) {
      const sha256 = (await home.manifest(id))?.sha256;
      const { signal } = new AbortController();
      await copyBackup({ from: home, to: away, backupId: id, attempt: 2, expectedSha256: String(sha256), signal });
    }
    expect(await rebuilt('IAD')).toMatchObject({ backups: 2, copies: 0 });
    expect(await rebuilt('DFW')).toMatchObject({ backups: 0, copies: 2, known: 0 });
    for (const region of ['IAD', 'DFW'])
      expect(await rebuilt(region)).toMatchObject({ backups: 0, copies: 0, known: 2 });
    await views.catchUp('acme');
    const copies = await new Copies(dataSource).ofBackups([full, child]);
    for (const id of [full, child]) {
      const location = await home.locationOf(id);
      const copy = { region: 'DFW', sourceRegion: 'IAD', status: 'COMPLETED', attempt: 1, location, fault: null };
      expect(copies.get(id)).toMatchObject([copy]);
    }
    expect(await listed()).toMatchObject([
      { region: 'IAD', attempt: 2 },
      { region: 'IAD', attempt: 2 },
    ]);
  });

  it('says whose key an encrypted backup needs, and tells the version of its server when it is given that key', async () => {
    const recipient = (await runStrongroom(['keys', 'new', 'owner.txt'], {}, folder)).stdout.trim();
    await runStrongroom(['keys', 'new', 'stranger.txt'], {}, folder);
    const backupId = await storedFor(recipient);
    const first = await rebuilt('DFW', '--identity', 'stranger.txt');
    expect(first).toMatchObject({ code: 0, backups: 1, told: expect.stringContaining('the key of office safe') });
    const unopened = { id: backupId, encryptedFor: ['office safe'], datastoreVersion: unknownVersion, facts: null };
    expect(await listed()).toMatchObject([{ ...unopened, name: 'encrypted-20261114T1430Z' }]);
    const second = await rebuilt('DFW', '--identity', 'owner.txt');
    expect(second).toMatchObject({ code: 0, backups: 0, versions: 1, known: 0, told: '' });
    expect(await listed()).toMatchObject([{ id: backupId, datastoreVersion: '18.4', status: 'COMPLETED' }]);
    expect(await rebuilt('DFW', '--identity', 'owner.txt')).toMatchObject({ versions: 0, known: 1 });
    const more = await storedFor(recipient);
    await rebuilt('DFW', '--identity', 'owner.txt');
    const opened = (await listed()).find(({ id }) => id === more);
    expect(opened).toMatchObject({ name: 'bills-20261114T1430Z', datastoreVersion: '18.4', facts: { timeline: 1 } });
  });

  it('that was killed is completed by the next one, and two at once record each backup once', async () => {
    const ids = await Promise.all(Array.from({ length: 12 }, () => stored()));
    // The sixth append does not end, so the process is killed in its midst.
    await dataSource.query(`
      create function hold_up() returns trigger language plpgsql as $$ begin
        if (select count(*) from ledger_event) >= 5 then perform pg_sleep(600); end if;
        return new;
      end $$;
      create trigger holds_up before insert on ledger_event for each row execute function hold_up();`);
    const killed = startStrongroom(callOf('DFW'), env(), folder);
    const sleeping = `select pid from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'`;
    await eventually(async () => expect(await dataSource.query(sleeping)).toHaveLength(1), { withinMs: 60_000 });
    killed.child.kill('SIGKILL');
    await killed.ended;
    await dataSource.query(`select pg_terminate_backend(pid) from (${sleeping}) held_up`);
    await dataSource.query('drop trigger holds_up on ledger_event; drop function hold_up');
    expect(await events()).toEqual({ BackupCatalogued: 5 });
    const both = await Promise.all([rebuilt('DFW'), rebuilt('DFW')]);
    expect(both.map(({ code, notRecorded }) => [code, notRecorded])).toEqual([
      [0, []],
      [0, []],
    ]);
    expect(both.reduce((sum, each) => sum + each.backups, 0)).toBe(7);
    expect(await events()).toEqual({ BackupCatalogued: 12 });
    expect((await listed()).map(({ id }) => id).sort()).toEqual(ids.sort());
  });

  it('records nothing of a vault that is of another region, or is another one than the region had', async () => {
    await stored();
    const swapped = { ...env(), STRONGROOM_VAULTS: `IAD=${pathToFileURL(join(folder, 'DFW')).href}` };
    expect((await runStrongroom(callOf('IAD'), swapped, folder)).code).toBe(1);
    expect((await rebuild('DFW')).code).toBe(0);
    rmSync(join(folder, 'DFW'), { recursive: true });
    home = await vaultOf('DFW');
    await stored();
    expect(await rebuild('DFW')).toMatchObject({ code: 1, stdout: '' });
    expect(await events()).toEqual({ BackupCatalogued: 1 });
  });
});
