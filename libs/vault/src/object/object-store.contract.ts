/** What every store of objects promises. A vault is built on nothing else. */
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { ObjectFacts, ObjectStore, PutCondition } from './object-store.js';

export interface OpenedStore {
  /** The same store, as another process sees it. */
  open(): ObjectStore;
  remove(): Promise<void>;
}

export function storeContract(kind: string, begin: () => Promise<OpenedStore>): void {
  describe(`${kind} as a store of objects`, () => {
    let opened: OpenedStore;
    let store: ObjectStore;
    beforeEach(async () => {
      opened = await begin();
      store = opened.open();
    });
    afterEach(() => opened.remove());

    it('gives back what was put, whole or in part, and tells of it', async () => {
      const bytes = randomBytes(300_000);
      const put = await putInto(store, 'a/b', bytes);
      expect(put).toMatchObject({ key: 'a/b', bytes: bytes.length });
      expect((await bytesAt(store, 'a/b'))?.equals(bytes)).toBe(true);
      const range = { from: 100, bytes: 200_000 };
      expect((await bytesAt(store, 'a/b', range))?.equals(bytes.subarray(100, 200_100))).toBe(true);
      const head = await store.head('a/b', never);
      expect(head).toMatchObject({ key: 'a/b', bytes: bytes.length, tag: put?.tag });
      expect([undefined, digestOf(bytes)]).toContain(head?.sha256);
      const found = await store.get('a/b', never);
      expect(found?.facts).toMatchObject({ bytes: bytes.length, tag: put?.tag });
      expect((await buffer(Readable.from(found?.body ?? []))).equals(bytes)).toBe(true);
    });

    it('holds an object without bytes', async () => {
      await putInto(store, 'empty', Buffer.alloc(0));
      expect(await bytesAt(store, 'empty')).toEqual(Buffer.alloc(0));
    });

    it('says that an object is not there', async () => {
      await putInto(store, 'a/b', randomBytes(10));
      for (const key of ['a', 'a/c', 'c']) {
        await expect(store.get(key, never)).resolves.toBeUndefined();
        await expect(store.head(key, never)).resolves.toBeUndefined();
      }
    });

    it('makes an object once, and tells whoever puts the same again that it is there', async () => {
      const bytes = randomBytes(1_000);
      const first = await putInto(store, 'a', bytes);
      await expect(putInto(store, 'a', bytes)).resolves.toMatchObject({ tag: first?.tag });
      await expect(putInto(store, 'a', randomBytes(1_000))).resolves.toBeUndefined();
      expect((await bytesAt(store, 'a'))?.equals(bytes)).toBe(true);
    });

    it('replaces an object only while it is the one that was read', async () => {
      const first = await putInto(store, 'a', Buffer.from('first'));
      const second = await putInto(store, 'a', Buffer.from('second'), { tag: first?.tag ?? '' });
      expect(second?.tag).not.toBe(first?.tag);
      await expect(putInto(store, 'a', Buffer.from('late'), { tag: first?.tag ?? '' })).resolves.toBeUndefined();
      const third = await putInto(store, 'a', Buffer.from('third'), { tag: second?.tag ?? '' });
      expect(third).toBeDefined();
      await expect(putInto(store, 'b', Buffer.from('none'), { tag: third?.tag ?? '' })).resolves.toBeUndefined();
      expect((await bytesAt(store, 'a'))?.toString()).toBe('third');
    });

    it('lets one of many win that make or replace an object at once', async () => {
      const stores = Array.from({ length: 8 }, () => opened.open());
      for (let tag: string | undefined, round = 0; round < 5; round += 1) {
        const condition: PutCondition = tag === undefined ? 'absent' : { tag };
        const outcomes = await Promise.all(
          stores.map(async (each, number) => {
            const bytes = Buffer.from(`${round}.${number}`);
            return { bytes, facts: await putInto(each, 'a', bytes, condition) };
          }),
        );
        const won = outcomes.filter(({ facts }) => facts !== undefined);
        expect(won).toHaveLength(1);
        expect(await bytesAt(store, 'a')).toEqual(won[0]?.bytes);
        tag = won[0]?.facts?.tag;
      }
    });

    it('loses no change of many that go on until theirs is made', async () => {
      await putInto(store, 'a', Buffer.from('0'));
      const add = async (each: ObjectStore) => {
        for (;;) {
          const found = await each.get('a', never);
          const before = (await buffer(Readable.from(found?.body ?? []))).toString();
          // Two that put the same bytes would both be told that those are there.
          const next = Buffer.from(`${Number.parseInt(before, 10) + 1} ${randomUUID()}`);
          if (await putInto(each, 'a', next, { tag: found?.facts.tag ?? '' })) return;
        }
      };
      await Promise.all(Array.from({ length: 10 }, () => add(opened.open())));
      expect(Number.parseInt((await bytesAt(store, 'a'))?.toString() ?? '', 10)).toBe(10);
    });

    it('takes no bytes that are not those that were meant', async () => {
      const put = store.put('a', Buffer.from('one'), { sha256: digestOf(Buffer.from('other')), if: 'absent' }, never);
      await expect(put).rejects.toMatchObject({ name: 'VaultFault' });
      await expect(store.head('a', never)).resolves.toBeUndefined();
    });

    it('lists what begins with a prefix, once and in the order of the keys', async () => {
      const keys = ['a/b/1.1/x.000', 'a/b/state', 'a/b.c', 'a/bc/1', 'b/a', 'a/b/1.1/y', 'a/b/10.1/y'];
      for (const key of keys) await putInto(store, key, Buffer.from(key));
      const state = await store.head('a/b/state', never);
      await putInto(store, 'a/b/state', Buffer.from('newer'), { tag: state?.tag ?? '' });
      const sorted = [...keys].sort((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)));
      for (const prefix of ['', 'a/', 'a/b', 'a/b/', 'a/b/1.1/', 'none/']) {
        const listed: ObjectFacts[] = [];
        for await (const facts of store.list(prefix, never)) listed.push(facts);
        expect(listed.map(({ key }) => key)).toEqual(sorted.filter((key) => key.startsWith(prefix)));
        for (const { key, bytes } of listed) expect(bytes).toBe(key === 'a/b/state' ? 5 : key.length);
      }
    });

    it('removes what it is told to and nothing else, and an object can be made again after that', async () => {
      const keys = ['a/1', 'a/2', 'a/3', 'a/state'];
      for (const key of keys) await putInto(store, key, Buffer.from(key));
      const before = await store.head('a/state', never);
      await putInto(store, 'a/state', Buffer.from('newer'), { tag: before?.tag ?? '' });
      const newer = await store.head('a/state', never);
      await store.delete(['a/1', 'a/3', 'a/none', 'a/state'], never);
      const left: string[] = [];
      for await (const { key } of store.list('', never)) left.push(key);
      expect(left).toEqual(['a/2']);
      await expect(putInto(store, 'a/state', Buffer.from('late'), { tag: newer?.tag ?? '' })).resolves.toBeUndefined();
      for (const key of ['a/1', 'a/state']) {
        await expect(putInto(store, key, Buffer.from('again'))).resolves.toBeDefined();
        expect((await bytesAt(store, key))?.toString()).toBe('again');
      }
    });

    it('does nothing for a caller that was told to end', async () => {
      const reason = new Error('the lease is lost');
      const ended = AbortSignal.abort(reason);
      const put = store.put('a', Buffer.from('a'), { sha256: digestOf(Buffer.from('a')), if: 'absent' }, ended);
      await expect(put).rejects.toBe(reason);
      await expect(store.get('a', ended)).rejects.toBe(reason);
      await expect(store.head('a', never)).resolves.toBeUndefined();
    });
  });
}

const never = new AbortController().signal;

function putInto(store: ObjectStore, key: string, bytes: Buffer, condition: PutCondition = 'absent') {
  return store.put(key, bytes, { sha256: digestOf(bytes), if: condition }, never);
}

async function bytesAt(store: ObjectStore, key: string, range?: { from: number; bytes: number }) {
  const found = await store.get(key, never, range);
  return found && buffer(Readable.from(found.body));
}

function digestOf(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
