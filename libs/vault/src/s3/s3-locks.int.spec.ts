import { HeadObjectCommand, ListObjectVersionsCommand } from '@aws-sdk/client-s3';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { eventually } from '../../../../test/services/eventually.js';
import { HttpProxy } from '../../../../test/services/http-proxy.js';
import { describeWithVersity, type S3Server } from '../../../../test/services/s3-servers.js';
import { s3StoreAt } from '../../fixtures/s3-store-at.js';
import { storeSample } from '../../fixtures/sample-backup.js';
import { keepAsLong } from '../keep-for.js';
import { ObjectVault } from '../object/object-vault.js';

const hour = 3_600_000;
const isRetention = ({ method, path }: { method: string; path: string }) =>
  method === 'PUT' && path.includes('retention');

describeWithVersity('a backup in a bucket with locks', (start) => {
  let server: S3Server;
  let proxy: HttpProxy;
  let bucket: string;
  let vault: ObjectVault;

  beforeAll(async () => {
    server = await start();
  });
  afterAll(() => server?.stop());
  beforeEach(async () => {
    proxy = await HttpProxy.before(server.url);
    bucket = await server.bucket({ locks: true });
    const url = server.vaultUrl(`${bucket}/iad`, { lock: 'governance', endpoint: proxy.url });
    vault = new ObjectVault('IAD', s3StoreAt(url), 65_536);
    await vault.identify();
  });
  afterEach(() => proxy.close());

  /** The keys of a backup, with each version, as a tool of the operator lists them. */
  async function versionsOf(backupId: string): Promise<string[]> {
    const client = server.client();
    const Prefix = `iad/backups/${backupId.slice(-2)}/${backupId}/`;
    const { Versions = [], DeleteMarkers = [] } = await client.send(
      new ListObjectVersionsCommand({ Bucket: bucket, Prefix }),
    );
    client.destroy();
    return [...Versions, ...DeleteMarkers].map(({ Key = '' }) => Key.slice(Prefix.length));
  }

  /** Until when each object of the backup is locked, its state left out, as a tool of the operator sees it. */
  async function locksOf(backupId: string): Promise<Set<number | undefined>> {
    const client = server.client();
    const location = await vault.locationOf(backupId);
    const inside = `${location}/`.split('/').slice(3).join('/');
    const locks = new Set<number | undefined>();
    for (const name of await versionsOf(backupId)) {
      if (!name.startsWith(inside)) continue;
      const Key = `iad/${location}/${name.slice(inside.length)}`;
      const { ObjectLockRetainUntilDate } = await client.send(new HeadObjectCommand({ Bucket: bucket, Key }));
      locks.add(ObjectLockRetainUntilDate?.getTime());
    }
    client.destroy();
    return locks;
  }

  it('is removed by nobody before its time, which the refusal tells, and then with every version', async () => {
    const { backupId } = await storeSample(vault);
    const until = secondsFromNow(3_600);
    expect(await vault.keepUntil(backupId, until)).toBe(true);
    expect(await locksOf(backupId)).toEqual(new Set([until.getTime()]));
    expect(await vault.keptUntil(backupId)).toEqual(until);
    const refused = vault.purge(backupId, 1);
    await expect(refused).rejects.toMatchObject({ code: 'object-locked', retryable: true });
    await expect(refused).rejects.toThrow(until.toISOString());
    await expect(vault.verify(backupId)).resolves.toBeDefined();

    const short = await storeSample(vault);
    await vault.keepUntil(short.backupId, secondsFromNow(4));
    // It is tried again and again, as a deletion is. The clock of the store ends that.
    await eventually(() => vault.purge(short.backupId, 1), { withinMs: 30_000 });
    expect(new Set(await versionsOf(short.backupId))).toEqual(new Set(['state']));
  });

  it('that is older than it had to be kept is locked no more, and whoever has it locked does not fail', async () => {
    const { backupId } = await storeSample(vault);
    proxy.calm();
    expect(await vault.keepUntil(backupId, secondsFromNow(-86_400))).toBe(true);
    expect(proxy.requests.filter(isRetention)).toEqual([]);
    expect(await vault.keptUntil(backupId)).toBeUndefined();
    await expect(vault.purge(backupId, 1)).resolves.toMatchObject({ places: 1 });
  });

  it('is begun in no bucket without locks whose address asks for one, which is found when a service starts', async () => {
    const plain = await server.bucket({ versions: true });
    const vaultAt = (more: Record<string, string>) => new ObjectVault('IAD', s3StoreAt(server.vaultUrl(plain, more)));
    const refusal = { code: 'vault-misconfigured', message: expect.stringContaining('no Object Lock') };
    await expect(vaultAt({ lock: 'compliance' }).identify()).rejects.toMatchObject(refusal);
    await expect(vaultAt({ lock: 'compliance' }).identify()).rejects.toMatchObject(refusal);
    await expect(vaultAt({}).identify()).resolves.toMatchObject({ region: 'IAD' });
  });

  it('whose lock was cut off while it grew is not said to be kept so long, and the next look has it grow', async () => {
    const { backupId } = await storeSample(vault);
    const [first, later] = [secondsFromNow(3_600), secondsFromNow(7_200)];
    await vault.keepUntil(backupId, first);
    let left = 3;
    proxy.fault = (request) => {
      if (!isRetention(request)) return undefined;
      left -= 1;
      return left < 0 ? 'reset' : undefined;
    };
    await expect(vault.keepUntil(backupId, later)).rejects.toMatchObject({ code: 'vault-unavailable' });
    proxy.calm();
    expect((await locksOf(backupId)).size).toBe(2);
    expect(await vault.keptUntil(backupId)).toEqual(first);
    // What has begun to grow is refused all the same.
    await expect(vault.purge(backupId, 1)).rejects.toMatchObject({ code: 'object-locked' });

    const sealed = await vault.manifest(backupId);
    const minimumMs = later.getTime() - Date.parse(sealed?.manifest.completedAt ?? '');
    expect(await keepAsLong(vault, backupId, () => minimumMs)).toEqual(later);
    expect(await locksOf(backupId)).toEqual(new Set([later.getTime()]));
    expect(await keepAsLong(vault, backupId, () => minimumMs)).toBeUndefined();
    expect(await keepAsLong(vault, backupId, () => minimumMs - hour)).toBeUndefined();
  });
});

/** A store counts in whole seconds. */
function secondsFromNow(seconds: number): Date {
  return new Date((Math.ceil(Date.now() / 1_000) + seconds) * 1_000);
}
