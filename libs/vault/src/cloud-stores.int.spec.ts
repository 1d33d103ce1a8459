import { createHash } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { describeWithAzurite, describeWithFakeGcs, type Emulator } from '../../../test/services/cloud-emulators.js';
import { HttpProxy } from '../../../test/services/http-proxy.js';
import { cloudStoreAt } from '../fixtures/cloud-store-at.js';
import { objectScene } from '../fixtures/object-scene.js';
import { objectStoreContract } from './object/object-store.contract.js';
import { vaultContract } from './vault.contract.js';

const { signal } = new AbortController();
const digestOf = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

interface Answers {
  /** What the store says of an object that it has moved to an archive, or can't give back. */
  archived: { status: number; headers: Record<string, string>; body: string };
}

function storeContracts(kind: string, start: () => Promise<Emulator>, { archived }: Answers): void {
  let emulator: Emulator;

  beforeAll(async () => {
    emulator = await start();
  });
  afterAll(() => emulator?.stop());

  objectStoreContract(kind, async () => {
    const url = await emulator.vaultUrl('a/region');
    return { store: cloudStoreAt(url), other: cloudStoreAt(url), remove: async () => {} };
  });

  vaultContract(kind, async (region) => {
    const proxy = await HttpProxy.before(emulator.url);
    const bad = new Set<string>();
    let isAway = false;
    proxy.fault = ({ method, path }) => {
      if (isAway) return 'reset';
      const plain = decodeURIComponent(path);
      const isBad = method === 'GET' && [...bad].some((key) => plain.includes(key));
      return isBad ? { answer: archived } : undefined;
    };
    return objectScene(region, {
      store: cloudStoreAt(await emulator.vaultUrl(region, proxy.url), { region }),
      breakObject: async (key) => void bad.add(key),
      takeAway: async () => {
        isAway = true;
      },
      bringBack: async () => {
        isAway = false;
      },
      remove: () => proxy.close(),
    });
  });

  it('makes a request again when its answer is lost, and finds what it has put', async () => {
    const proxy = await HttpProxy.before(emulator.url);
    const store = cloudStoreAt(await emulator.vaultUrl('lost', proxy.url));
    const bytes = Buffer.from('bytes');
    let left = 2;
    proxy.fault = ({ method }) => {
      if (method === 'GET' || method === 'HEAD' || left === 0) return undefined;
      left -= 1;
      return 'reset';
    };
    const put = await store.put('object', bytes, { sha256: digestOf(bytes), if: 'absent' }, signal);
    expect(put).toMatchObject({ bytes: 5 });
    expect(left).toBe(0);
    await proxy.close();
  });

  it('says that its bucket is not there, and that a page of a proxy is no answer', async () => {
    const proxy = await HttpProxy.before(emulator.url);
    const url = await emulator.vaultUrl('gone', proxy.url);
    const gone = new URL(url.href.replace(url.hostname, 'nobody-has-made-it'));
    await expect(cloudStoreAt(gone).head('object', signal)).rejects.toMatchObject({
      code: 'vault-unavailable',
      message: expect.stringMatching(/there is no (bucket|container) nobody-has-made-it/),
    });
    proxy.fault = () => ({ answer: { status: 404, headers: {}, body: '<html>Please log in</html>' } });
    await expect(cloudStoreAt(url).head('object', signal)).rejects.toMatchObject({ code: 'vault-unavailable' });
    await proxy.close();
  });
}

describeWithAzurite('in a container of Azurite', (start) => {
  storeContracts('container of Azure', start, {
    archived: { status: 409, headers: { 'x-ms-error-code': 'BlobArchived' }, body: '' },
  });
});

describeWithFakeGcs('in a bucket of fake-gcs-server', (start) => {
  storeContracts('bucket of Google', start, { archived: { status: 416, headers: {}, body: '' } });
});
