/**
 * Finds out by trying whether a store of objects has what a vault stands on. A property that is missing is told by its name,
 * before anything is written there that counts.
 */
import { VaultFault } from '../vault-fault.js';
import type { ObjectStore, PutCondition } from './object-store.js';
import { digestOf, newUuid, smallObject } from './small-objects.js';

/** @throws {VaultFault} `vault-misconfigured`, when something is missing that keeps attempts apart */
export async function tryStore(region: string, store: ObjectStore, signal: AbortSignal): Promise<void> {
  const key = `.trial/${newUuid()}`;
  const [one, two, other] = ['one', 'two', 'other'].map((each) =>
    Buffer.from(`strongroom tries this store: ${each}\n`),
  );
  if (!one || !two || !other) throw new TypeError('a trial needs three objects');
  const put = (bytes: Buffer, condition: PutCondition) =>
    store.put(key, bytes, { sha256: digestOf(bytes), if: condition }, signal);
  const mustBe = (isSo: boolean, lacks: string) => {
    if (!isSo) throw unfit(region, store, lacks);
  };
  try {
    const first = await put(one, 'absent');
    mustBe(first !== undefined, 'does not make an object that is not there');
    mustBe(
      (await put(other, 'absent')) === undefined,
      'makes an object anew though it is there already (If-None-Match is not kept)',
    );
    const read = await smallObject(store, key, signal);
    mustBe(read?.bytes.equals(one) ?? false, 'does not give back what was put');
    const second = first && (await put(two, { tag: first.tag }));
    mustBe(second !== undefined, 'does not replace an object that is what it should be (If-Match is not kept)');
    const late = first && (await put(other, { tag: first.tag }));
    mustBe(late === undefined, 'replaces an object that is not what it should be (If-Match is not kept)');
    mustBe((await smallObject(store, key, signal))?.bytes.equals(two) ?? false, 'does not give back what was put last');
    const listed: string[] = [];
    for await (const each of store.list(key, signal)) listed.push(each.key);
    mustBe(listed.join() === key, 'does not list an object that was put');
  } finally {
    await store.delete([key], signal).catch(() => {});
  }
}

function unfit(region: string, store: ObjectStore, lacks: string): VaultFault {
  const message = `The store of the vault of ${region} (${store.locationOf('')}) ${lacks}: attempts could not be kept apart there. Use a store with conditional writes.`;
  const told = `The store of the vault of ${region} is not fit for a vault.`;
  return new VaultFault('vault-misconfigured', region, message, { told });
}
