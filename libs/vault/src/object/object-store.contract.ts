/** What every store of objects promises: each sentence of its door. The suite runs on a real one. */
import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ObjectFacts, ObjectStore } from './object-store.js';

/** A store, empty, and what a test may do behind its back. */
export interface ObjectStoreScene {
  store: ObjectStore;
  /** The same objects as another process sees them. */
  other: ObjectStore;
  /** Whether the store compares what arrives with the SHA-256 that is told. Some servers for tests do not. */
  checksWhatArrives?: boolean;
  /** Whether the store compares and puts in one step, so that of two changes at once only one is made. Some servers for tests do not. */
  comparesAsItPuts?: boolean;
  remove(): Promise<void>;
}

const { signal } = new AbortController();
const digestOf = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

export function objectStoreContract(kind: string, open: () => Promise<ObjectStoreScene>): void {
  describe(`a ${kind}, as a store of objects,`, () => {
    let scene: ObjectStoreScene;
    let store: ObjectStore;
    let made = 0;

    beforeAll(async () => {
      scene = await open();
      store = scene.store;
    });
    afterAll(() => scene?.remove());

    /** A folder of its own for each test. */
    const folder = () => {
      made += 1;
      return `backups/${String(made).padStart(3, '0')}`;
    };
    const putNew = async (key: string, bytes: Buffer) => {
      const facts = await store.put(key, bytes, { sha256: digestOf(bytes), if: 'absent' }, signal);
      if (!facts) throw new Error(`${key} is there already`);
      return facts;
    };
    const replace = (on: ObjectStore, key: string, { bytes, tag }: { bytes: Buffer; tag: string }) =>
      on.put(key, bytes, { sha256: digestOf(bytes), if: { tag } }, signal);
    const bytesOf = async (key: string, range?: { from: number; bytes: number }) => {
      const found = await store.get(key, signal, range);
      return found && Buffer.concat(await listed(found.body));
    };

    /** One after another where the store can't decide between them. */
    const atOnce = async <T>(changes: (() => Promise<T>)[]): Promise<T[]> => {
      if (scene.comparesAsItPuts !== false) return Promise.all(changes.map((change) => change()));
      const outcomes: T[] = [];
      for (const change of changes) outcomes.push(await change());
      return outcomes;
    };

    it('gives back what was put: nothing, a byte, and some megabytes', async () => {
      for (const length of [0, 1, 3_000_001]) {
        const [key, bytes] = [`${folder()}/object`, randomBytes(length)];
        const facts = await putNew(key, bytes);
        expect(facts).toMatchObject({ key, bytes: length });
        expect((await bytesOf(key))?.equals(bytes)).toBe(true);
        const found = await scene.other.get(key, signal);
        expect(found?.facts).toMatchObject({ key, bytes: length, tag: facts.tag });
        await listed(found?.body ?? []);
      }
    });

    it('tells of an object what it told when it was put', async () => {
      const [key, bytes] = [`${folder()}/object`, randomBytes(1_000)];
      const facts = await putNew(key, bytes);
      const seen = await scene.other.head(key, signal);
      expect(seen).toEqual(facts);
      expect([undefined, digestOf(bytes)]).toContain(seen?.sha256);
      expect(seen?.putAt.getTime()).toBeGreaterThan(0);
      expect(seen?.lockedUntil).toBeUndefined();
    });

    it('says that it does not have what is not there', async () => {
      const key = `${folder()}/nothing`;
      await expect(store.get(key, signal)).resolves.toBeUndefined();
      await expect(store.get(key, signal, { from: 0, bytes: 10 })).resolves.toBeUndefined();
      await expect(store.head(key, signal)).resolves.toBeUndefined();
      await putNew(`${key}/below`, Buffer.from('below'));
      for (const other of [key, `${key}/beside`]) {
        await expect(store.get(other, signal)).resolves.toBeUndefined();
        await expect(store.head(other, signal)).resolves.toBeUndefined();
      }
    });

    it('gives a range: the first bytes, some amid it, the last one', async () => {
      const [key, bytes] = [`${folder()}/object`, randomBytes(200_000)];
      await putNew(key, bytes);
      for (const range of [
        { from: 0, bytes: 100 },
        { from: 70_000, bytes: 65_537 },
        { from: 199_999, bytes: 1 },
      ]) {
        const found = await store.get(key, signal, range);
        expect(found?.facts.bytes).toBe(200_000);
        const part = bytes.subarray(range.from, range.from + range.bytes);
        expect(Buffer.concat(await listed(found?.body ?? [])).equals(part)).toBe(true);
      }
    });

    it('is read in part by somebody who goes away, and goes on', async () => {
      const [key, bytes] = [`${folder()}/object`, randomBytes(3_000_000)];
      await putNew(key, bytes);
      for (let read = 0; read < 60; read += 1) {
        const found = await store.get(key, signal);
        for await (const chunk of found?.body ?? []) {
          expect(chunk.equals(bytes.subarray(0, chunk.length))).toBe(true);
          break;
        }
      }
      expect((await bytesOf(key))?.equals(bytes)).toBe(true);
    });

    it('leaves what is there when an object must be new', async () => {
      const [key, bytes] = [`${folder()}/object`, Buffer.from('the first')];
      const facts = await putNew(key, bytes);
      const second = Buffer.from('the second');
      await expect(store.put(key, second, { sha256: digestOf(second), if: 'absent' }, signal)).resolves.toBeUndefined();
      expect((await bytesOf(key))?.toString()).toBe('the first');
      expect((await store.head(key, signal))?.tag).toBe(facts.tag);
    });

    it('replaces the object that has the tag, and no other', async () => {
      const key = `${folder()}/state`;
      const first = await putNew(key, Buffer.from('one'));
      const second = await replace(scene.other, key, { bytes: Buffer.from('two'), tag: first.tag });
      expect(second?.tag).not.toBe(first.tag);
      await expect(replace(store, key, { bytes: Buffer.from('three'), tag: first.tag })).resolves.toBeUndefined();
      expect((await bytesOf(key))?.toString()).toBe('two');
    });

    it('does not put in the place of an object that has gone', async () => {
      const key = `${folder()}/state`;
      const { tag } = await putNew(key, Buffer.from('one'));
      await store.delete([key], signal);
      await expect(replace(store, key, { bytes: Buffer.from('two'), tag })).resolves.toBeUndefined();
      await expect(store.head(key, signal)).resolves.toBeUndefined();
    });

    it('takes the same object twice, because the answer to the first may have been lost', async () => {
      const [key, bytes] = [`${folder()}/object`, randomBytes(100)];
      const facts = await putNew(key, bytes);
      await expect(
        scene.other.put(key, bytes, { sha256: digestOf(bytes), if: 'absent' }, signal),
      ).resolves.toMatchObject({ tag: facts.tag });
      const [next, { tag }] = [randomBytes(100), facts];
      const second = await replace(store, key, { bytes: next, tag });
      await expect(replace(store, key, { bytes: next, tag })).resolves.toMatchObject({ tag: second?.tag });
    });

    it('has one of many put a new object, and tells the others that they did not', async () => {
      const key = `${folder()}/object`;
      const all = Array.from({ length: 8 }, (_, at) => Buffer.from(`the object of number ${at}`));
      const outcomes = await atOnce(
        all.map(
          (bytes, at) => () =>
            (at % 2 ? store : scene.other).put(key, bytes, { sha256: digestOf(bytes), if: 'absent' }, signal),
        ),
      );
      const winners = all.filter((_, at) => outcomes[at] !== undefined);
      expect(winners).toHaveLength(1);
      expect(await bytesOf(key)).toEqual(winners[0]);
    });

    it('has one of many replace an object, again and again', async () => {
      const key = `${folder()}/state`;
      let now: ObjectFacts = await putNew(key, Buffer.from('begun'));
      for (let round = 0; round < 5; round += 1) {
        const all = Array.from({ length: 6 }, (_, at) => Buffer.from(`round ${round}, number ${at}`));
        const outcomes = await atOnce(
          all.map((bytes, at) => () => replace(at % 2 ? store : scene.other, key, { bytes, tag: now.tag })),
        );
        const [winner, ...more] = outcomes.flatMap((facts, at) => (facts ? [{ facts, bytes: all[at] }] : []));
        if (!winner) throw new Error('nobody has replaced it');
        expect(more).toEqual([]);
        expect(await bytesOf(key)).toEqual(winner.bytes);
        now = winner.facts;
      }
    });

    it('loses no change of many that go on until theirs is made', async () => {
      const key = `${folder()}/state`;
      await putNew(key, Buffer.from(''));
      const change = async (on: ObjectStore, letter: string): Promise<void> => {
        for (;;) {
          const found = await on.get(key, signal);
          const now = Buffer.concat(await listed(found?.body ?? []));
          const next = { bytes: Buffer.concat([now, Buffer.from(letter)]), tag: found?.facts.tag ?? '' };
          if (await replace(on, key, next)) return;
        }
      };
      await atOnce([...'abcdef'].map((letter, at) => () => change(at % 2 ? store : scene.other, letter)));
      expect([...((await bytesOf(key))?.toString() ?? '')].sort().join('')).toBe('abcdef');
    });

    it('keeps nothing of bytes that are not those that were told', async () => {
      if (scene.checksWhatArrives === false) return;
      const key = `${folder()}/object`;
      const told = { sha256: digestOf(Buffer.from('other bytes')), if: 'absent' } as const;
      await expect(store.put(key, Buffer.from('these bytes'), told, signal)).rejects.toMatchObject({
        name: 'VaultFault',
      });
      await expect(store.head(key, signal)).resolves.toBeUndefined();
    });

    it('lists all objects of a prefix in the order of their keys, and no others', async () => {
      const [own, next] = [folder(), folder()];
      const names = ['a', 'a-b', 'a/b', 'a/b/c', 'a.b', 'B', 'b', 'b0', 'b_1', '00001', '00010', '2'].map((each) =>
        // A file system cannot have a file and a folder of one name.
        each.replace(/^a$/, 'a.0').replace(/^a\/b$/, 'a/b.0'),
      );
      for (const name of names) await putNew(`${own}/${name}`, Buffer.from(name));
      await putNew(`${next}/other`, Buffer.from('other'));
      const facts = await listed(store.list(`${own}/`, signal));
      const keys = names.map((name) => `${own}/${name}`);
      expect(facts.map(({ key }) => key)).toEqual(keys.sort(byBytes));
      for (const { key, bytes, tag } of facts) {
        expect(bytes).toBe(key.length - own.length - 1);
        expect((await store.head(key, signal))?.tag).toBe(tag);
      }
      expect(await listed(store.list(`${own}/b`, signal)).then((some) => some.map(({ key }) => key))).toEqual(
        [`${own}/b`, `${own}/b0`, `${own}/b_1`].sort(byBytes),
      );
      expect(await listed(store.list(`${own}/nothing/`, signal))).toEqual([]);
    });

    it('lists and removes many objects, each once', async () => {
      const own = folder();
      const keys = Array.from({ length: 150 }, (_, at) => `${own}/${String(at).padStart(5, '0')}`);
      for (let at = 0; at < keys.length; at += 50)
        await Promise.all(keys.slice(at, at + 50).map((key) => putNew(key, Buffer.from(key))));
      expect((await listed(store.list(`${own}/`, signal))).map(({ key }) => key)).toEqual(keys);
      await store.delete(keys, signal);
      expect(await listed(store.list(`${own}/`, signal))).toEqual([]);
    });

    it('removes what it is told to, and nothing else; what is not there is no fault', async () => {
      const own = folder();
      for (const name of ['a', 'ab', 'b']) await putNew(`${own}/${name}`, Buffer.from(name));
      await store.delete([`${own}/a`, `${own}/nothing`, `${own}/b`], signal);
      await store.delete([], signal);
      expect((await listed(store.list(`${own}/`, signal))).map(({ key }) => key)).toEqual([`${own}/ab`]);
      await expect(putNew(`${own}/a`, Buffer.from('again'))).resolves.toMatchObject({ bytes: 5 });
    });

    it('ends at once when it is told to, with the reason', async () => {
      const [key, bytes] = [`${folder()}/object`, randomBytes(3_000_000)];
      await putNew(key, bytes);
      const reason = new Error('the attempt is over');
      const over = AbortSignal.abort(reason);
      const put = { sha256: digestOf(bytes), if: 'absent' } as const;
      await expect(store.get(key, over)).rejects.toBe(reason);
      await expect(store.head(key, over)).rejects.toBe(reason);
      await expect(store.put(`${key}.2`, bytes, put, over)).rejects.toBe(reason);
      await expect(store.delete([key], over)).rejects.toBe(reason);
      await expect(listed(store.list('', over))).rejects.toBe(reason);
      const later = new AbortController();
      const found = await store.get(key, later.signal);
      later.abort(reason);
      await expect(listed(found?.body ?? [])).rejects.toBe(reason);
      expect((await bytesOf(key))?.equals(bytes)).toBe(true);
    });

    it('says where an object lies', () => {
      expect(store.locationOf('backups/ab/object')).toMatch(/backups\/ab\/object$/);
    });

    it('says how large an object may be', () => {
      expect(store.mostObjectBytes).toBeGreaterThanOrEqual(32 * 2 ** 20);
    });
  });
}

function byBytes(one: string, other: string): number {
  return Buffer.compare(Buffer.from(one), Buffer.from(other));
}

async function listed<T>(items: AsyncIterable<T> | Iterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}
