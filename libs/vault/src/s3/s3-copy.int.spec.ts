import { createHash } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { describeWithMoto, describeWithVersity, type S3Server } from '../../../../test/services/s3-servers.js';
import { s3StoreAt } from '../../fixtures/s3-store-at.js';
import { storeSample } from '../../fixtures/sample-backup.js';
import { copyBackup } from '../copy-backup.js';
import type { ObjectFacts } from '../object/object-store.js';
import { ObjectVault } from '../object/object-vault.js';
import { S3Store } from './s3-store.js';

const { signal } = new AbortController();
const pieceBytes = 65_536;
const digestOf = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

describeWithVersity('on Versity S3 Gateway, a copy between two places of one store', copiesInside);
describeWithMoto('on Moto, a copy between two places of one store', copiesInside);

function copiesInside(start: () => Promise<S3Server>): void {
  let server: S3Server;
  let url: (prefix: string) => URL;
  beforeAll(async () => {
    server = await start();
    const bucket = await server.bucket();
    url = (prefix) => server.vaultUrl(`${bucket}/${prefix}`);
  });
  afterAll(() => server?.stop());

  async function regions(name: string, target: (at: URL) => S3Store = (at) => s3StoreAt(at)) {
    const from = new ObjectVault('DFW', s3StoreAt(url(`${name}/dfw`)), pieceBytes);
    const store = target(url(`${name}/ord`));
    const to = new ObjectVault('ORD', store, pieceBytes);
    const { backupId, manifestBytes } = await storeSample(from);
    const copy = (attempt = 1) =>
      copyBackup({ from, to, backupId, attempt, expectedSha256: digestOf(manifestBytes), signal });
    return { from, to, backupId, copy };
  }

  it('is made by the store: its segments are neither read nor sent, and it is whole', async () => {
    const asked: string[] = [];
    class Watched extends S3Store {
      override put(...put: Parameters<S3Store['put']>): ReturnType<S3Store['put']> {
        asked.push(put[0]);
        return super.put(...put);
      }
      override get(...get: Parameters<S3Store['get']>): ReturnType<S3Store['get']> {
        asked.push(get[0]);
        return super.get(...get);
      }
    }
    const { to, backupId, copy } = await regions('made', (at) => s3StoreAt(at, {}, Watched));
    await expect(copy()).resolves.toMatchObject({ transferred: true, verifiedBy: 'server' });
    expect(asked.filter((key) => key.includes('.zst'))).toEqual([]);
    await expect(to.verify(backupId)).resolves.toBeDefined();
  });

  it('finds a store that says that it has copied, and has other bytes', async () => {
    class Lying extends S3Store {
      override async copy(...[, key]: Parameters<S3Store['copy']>): Promise<ObjectFacts | undefined> {
        const bytes = Buffer.alloc(pieceBytes, 1);
        return this.put(key, bytes, { sha256: digestOf(bytes), if: 'absent' }, signal);
      }
    }
    const { to, backupId, copy } = await regions('other', (at) => s3StoreAt(at, {}, Lying));
    await expect(copy()).rejects.toMatchObject({ code: 'object-altered', region: 'ORD' });
    await expect(to.manifest(backupId)).resolves.toBeUndefined();
  });

  it('goes on where it was cut off', async () => {
    const copied: string[] = [];
    const begun: Promise<unknown>[] = [];
    let isKilled = false;
    class Dying extends S3Store {
      override async copy(...copy: Parameters<S3Store['copy']>): Promise<ObjectFacts | undefined> {
        if (begun.length === 2 && !isKilled) {
          // The store carries out what it was asked before.
          await Promise.all(begun);
          isKilled = true;
          throw new Error('the process was killed');
        }
        copied.push(copy[1]);
        const copying = super.copy(...copy);
        begun.push(copying);
        return copying;
      }
    }
    const { to, backupId, copy } = await regions('cut', (at) => s3StoreAt(at, {}, Dying));
    await expect(copy()).rejects.toThrow('the process was killed');
    expect(copied.length).toBe(2);
    await expect(copy(2)).resolves.toMatchObject({ transferred: true, verifiedBy: 'server' });
    // What is there is not copied again.
    expect(copied.length).toBeGreaterThan(2);
    expect(new Set(copied).size).toBe(copied.length);
    await expect(to.verify(backupId)).resolves.toBeDefined();
  });
}
