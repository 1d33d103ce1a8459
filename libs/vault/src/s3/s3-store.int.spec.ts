import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  GetObjectRetentionCommand,
  ListObjectVersionsCommand,
  PutObjectCommand,
  PutObjectLockConfigurationCommand,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { HttpProxy } from '../../../../test/services/http-proxy.js';
import { describeWithVersity, S3Server, testKeys } from '../../../../test/services/s3-servers.js';
import { s3StoreAt } from '../../fixtures/s3-store-at.js';
import { type ObjectStoreScene, objectStoreContract } from '../object/object-store.contract.js';

const { signal } = new AbortController();
const digestOf = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

describeWithVersity('on Versity S3 Gateway', (start) => {
  objectStoreContract('bucket', async () => sceneOn(await start(), { versions: false }));
  objectStoreContract('bucket that keeps versions', async () => sceneOn(await start(), { versions: true }));
});

describe('on Moto', () => {
  objectStoreContract('bucket', async () => {
    const server = await S3Server.moto();
    // It keeps the checksum that it is told, and compares nothing. Between looking at a tag and putting, another request may come.
    const lacks = { checksWhatArrives: false, comparesAsItPuts: false };
    return server && { ...(await sceneOn(server, { versions: false })), ...lacks };
  });
});

async function sceneOn(server: S3Server, { versions }: { versions: boolean }): Promise<ObjectStoreScene> {
  const url = server.vaultUrl(`${await server.bucket({ versions })}/a/region`);
  return { store: s3StoreAt(url), other: s3StoreAt(url), remove: () => server.stop() };
}

describeWithVersity('a store in a bucket', (start) => {
  let server: S3Server;
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'strongroom-s3-'));
    server = await start();
  });
  afterAll(async () => {
    await server?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it('sees nothing beside its prefix', async () => {
    const bucket = await server.bucket();
    const [one, other] = ['a', 'ab'].map((prefix) => s3StoreAt(server.vaultUrl(`${bucket}/${prefix}`)));
    const bytes = Buffer.from('bytes');
    await one?.put('vault.json', bytes, { sha256: digestOf(bytes), if: 'absent' }, signal);
    await expect(other?.head('vault.json', signal)).resolves.toBeUndefined();
    for await (const each of other?.list('', signal) ?? []) throw new Error(`it lists ${each.key}`);
    expect(one?.locationOf('vault.json')).toBe(`s3://${bucket}/a/vault.json`);
  });

  it('lists more objects than one answer of the store can hold, each once and in order', async () => {
    const Bucket = await server.bucket();
    const client = server.client();
    const keys = Array.from({ length: 1_001 }, (_, at) => `backups/${String(at).padStart(5, '0')}`);
    for (let at = 0; at < keys.length; at += 50)
      await Promise.all(
        keys.slice(at, at + 50).map((Key) => client.send(new PutObjectCommand({ Bucket, Key, Body: Key }))),
      );
    client.destroy();
    const found: string[] = [];
    for await (const { key } of s3StoreAt(server.vaultUrl(Bucket)).list('backups/', signal)) found.push(key);
    expect(found).toEqual(keys);
  });

  it.each(['governance', 'compliance'])(
    'keeps an object until its time by the lock %s, and says until when',
    async (lock) => {
      const bucket = await server.bucket({ locks: true });
      const store = s3StoreAt(server.vaultUrl(bucket, { lock }));
      const until = new Date(Math.ceil(Date.now() / 1_000) * 1_000 + 3_600_000);
      const [bytes, free] = [Buffer.from('locked'), Buffer.from('free')];
      const put = await store.put('locked', bytes, { sha256: digestOf(bytes), if: 'absent', lockUntil: until }, signal);
      expect(put?.lockedUntil).toEqual(until);
      await store.put('free', free, { sha256: digestOf(free), if: 'absent' }, signal);
      expect((await store.head('locked', signal))?.lockedUntil).toEqual(until);
      await expect(store.delete(['free', 'locked'], signal)).rejects.toMatchObject({
        code: 'object-locked',
        message: expect.stringContaining(`keeps locked until ${until.toISOString()}`),
      });
      await expect(store.head('free', signal)).resolves.toBeUndefined();
      expect((await store.head('locked', signal))?.bytes).toBe(6);
      const client = server.client();
      const { Retention } = await client.send(new GetObjectRetentionCommand({ Bucket: bucket, Key: 'locked' }));
      expect(Retention?.Mode).toBe(lock.toUpperCase());
      client.destroy();
    },
  );

  it('leaves no version of what it removes', async () => {
    const bucket = await server.bucket({ versions: true });
    const store = s3StoreAt(server.vaultUrl(bucket));
    let tag: string | undefined;
    for (const text of ['one', 'two', 'three']) {
      const bytes = Buffer.from(text);
      const condition = tag === undefined ? 'absent' : { tag };
      tag = (await store.put('state', bytes, { sha256: digestOf(bytes), if: condition }, signal))?.tag;
    }
    await store.delete(['state'], signal);
    const client = server.client();
    const left = await client.send(new ListObjectVersionsCommand({ Bucket: bucket }));
    expect([...(left.Versions ?? []), ...(left.DeleteMarkers ?? [])]).toEqual([]);
    client.destroy();
  });

  it('says that a bucket without locks can keep nothing', async () => {
    const store = s3StoreAt(server.vaultUrl(await server.bucket(), { lock: 'compliance' }));
    const bytes = randomBytes(10);
    const options = { sha256: digestOf(bytes), if: 'absent', lockUntil: new Date(Date.now() + 60_000) } as const;
    await expect(store.put('object', bytes, options, signal)).rejects.toMatchObject({
      code: 'vault-misconfigured',
      message: expect.stringContaining('no Object Lock'),
    });
  });

  it('says whether its bucket has Object Lock, and whether that locks all else as well', async () => {
    const [locking, plain] = [await server.bucket({ locks: true }), await server.bucket()];
    const lockOf = (bucket: string, more: Record<string, string> = {}) =>
      s3StoreAt(server.vaultUrl(bucket, { lock: 'governance', ...more })).bucketLock(signal);
    expect([await lockOf(locking), await lockOf(plain)]).toEqual(['on', 'off']);
    const client = server.client();
    await client.send(
      new PutObjectLockConfigurationCommand({
        Bucket: locking,
        ObjectLockConfiguration: {
          ObjectLockEnabled: 'Enabled',
          Rule: { DefaultRetention: { Mode: 'GOVERNANCE', Days: 1 } },
        },
      }),
    );
    client.destroy();
    expect(await lockOf(locking)).toBe('on-for-all');
    const proxy = await HttpProxy.before(server.url);
    const refusal =
      '<?xml version="1.0" encoding="UTF-8"?><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>';
    proxy.fault = () => ({ answer: { status: 403, body: refusal } });
    expect(await lockOf(locking, { endpoint: proxy.url })).toBe('unknown');
    await proxy.close();
    await expect(lockOf('not-there')).rejects.toMatchObject({ code: 'vault-unavailable' });
  });

  it('takes its keys from a file that changes, and says what is wrong with it without a word of it', async () => {
    const credentials = join(folder, 'keys.json');
    const store = s3StoreAt(server.vaultUrl(await server.bucket(), { credentials }));
    const faultOf = () => store.head('object', signal).then(undefined, (error: unknown) => error);
    expect(await faultOf()).toMatchObject({ code: 'vault-unavailable', message: expect.stringContaining('ENOENT') });
    await writeFile(credentials, '{"secretAccessKey":"secret-word"}');
    expect(await faultOf()).toMatchObject({ message: expect.stringMatching(/must hold a JSON object/) });
    await writeFile(credentials, JSON.stringify({ ...testKeys, secretAccessKey: 'secret-word' }));
    expect(await faultOf()).toMatchObject({ code: 'vault-unavailable', message: expect.stringContaining(credentials) });
    expect(String(await faultOf())).not.toContain('secret-word');
    await writeFile(credentials, JSON.stringify(testKeys));
    expect(await faultOf()).toBeUndefined();
  });
});
