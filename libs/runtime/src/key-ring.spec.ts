import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { KeyRing, secretKeysIn } from './key-ring.js';

const [one, two] = [randomBytes(32), randomBytes(32)];
const text = (...keys: Buffer[]) => keys.map((key) => key.toString('base64')).join(',');

describe('the ring of keys', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'strongroom-keys-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it('is one key, or several with commas, spaces or lines between them', () => {
    expect(secretKeysIn(text(one))).toEqual([one]);
    expect(secretKeysIn(`${text(one)} ,\n ${text(two)}\n`)).toEqual([one, two]);
    for (const wrong of ['', ' , ', 'secret', randomBytes(31).toString('base64'), `${text(one)},secret`]) {
      expect(secretKeysIn(wrong)).toBeUndefined();
    }
  });

  it('names its keys, seals with the first, and finds each', () => {
    const ring = new KeyRing([one, two]);
    expect(ring.newest.bytes).toEqual(one);
    expect(ring.all.map(({ id }) => ring.find(id)?.bytes)).toEqual([one, two]);
    expect(ring.newest.id).toMatch(/^[0-9a-f]{16}$/);
    expect(one.toString('hex')).not.toContain(ring.newest.id);
    expect(ring.find('0'.repeat(16))).toBeUndefined();
    expect(new KeyRing([two, one]).find(ring.newest.id)?.bytes).toEqual(one);
  });

  it('is read again when a key is wanted that it does not have, and after a while', () => {
    const file = join(folder, 'ring');
    writeFileSync(file, text(one));
    let now = 0;
    const ring = new KeyRing([one], file, () => now);
    const wanted = new KeyRing([two]).newest.id;
    writeFileSync(file, text(two, one));
    expect(ring.find(wanted)).toBeUndefined();
    now += 1_000;
    expect(ring.find(wanted)?.bytes).toEqual(two);
    writeFileSync(file, text(one));
    expect(ring.newest.bytes).toEqual(two);
    now += 10_000;
    expect(ring.newest.bytes).toEqual(one);
  });

  it('stays as it is when its file is gone, or is of no known form', () => {
    const file = join(folder, 'spoilt');
    let now = 0;
    const ring = new KeyRing([one, two], file, () => now);
    now += 10_000;
    expect(ring.all).toHaveLength(2);
    writeFileSync(file, `${text(one)},half a k`);
    now += 10_000;
    expect(ring.all).toHaveLength(2);
  });
});
