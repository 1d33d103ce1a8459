/** Payloads that Tink has made are read, and made again byte for byte; and what was moved or changed opens nowhere. */
import { createHash, randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { tinkContent, tinkKey, tinkVectors } from '../fixtures/tink-vectors.js';
import { associatedData, ObjectCipher, type ObjectPlace } from './object-cipher.js';
import { type PayloadReader, PayloadWriter } from './payload.js';
import { tinkPayload } from './tink-payload.js';

const key = Buffer.from(tinkKey, 'hex');
const format = 'tink/AES256_GCM_HKDF_1MB';
const place: ObjectPlace = { accountId: 'acme', backupId: 'a-backup', objectName: 'base.tar.zst' };
const mebibyte = 1_048_576;

/** In pieces, none of which ends where a chunk does. */
function passed(payload: Buffer, reader: PayloadReader): Buffer {
  const out: Buffer[] = [];
  for (let at = 0; at < payload.length; at += 300_007) out.push(...reader.update(payload.subarray(at, at + 300_007)));
  return Buffer.concat([...out, reader.end()]);
}

function made(content: Buffer, writer: PayloadWriter): Buffer {
  const out: Buffer[] = [];
  for (let at = 0; at < content.length; at += 700_001) out.push(...writer.update(content.subarray(at, at + 700_001)));
  return Buffer.concat([...out, ...writer.end()]);
}

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

describe('a payload of Tink', () => {
  it.each(tinkVectors)('of $contentBytes bytes is made by us, byte for byte', (vector) => {
    const content = Buffer.alloc(vector.contentBytes, tinkContent);
    const head = Buffer.from(vector.head, 'hex');
    const payload = made(content, new PayloadWriter(tinkPayload, key, Buffer.from(vector.associatedData), head));
    expect([payload.length, sha256(payload)]).toEqual([vector.payloadBytes, vector.payloadSha256]);
  });
});

describe('a segment in AES-256-GCM', () => {
  const cipher = new ObjectCipher(format, key, place);
  const sizes = [0, 1, mebibyte - 57, mebibyte - 56, mebibyte - 55, 2 * mebibyte - 72, 2 * mebibyte - 71, 5_000_000];

  it.each(sizes)('of %d bytes is read as it was, and is as long as was said', (size) => {
    const content = randomBytes(size);
    const payload = made(content, cipher.writer(3));
    expect(payload.length).toBe(cipher.payloadBytes(size));
    expect(cipher.contentBytesIn(payload.length)).toBe(size);
    expect(passed(payload, cipher.reader(3)).equals(content)).toBe(true);
  });

  it('has room for what is told, and for no byte more', () => {
    for (const bytes of [0, 56, 57, 100_000, mebibyte, mebibyte + 1, mebibyte + 16, mebibyte + 17, 33_554_432]) {
      const content = cipher.contentBytesIn(bytes);
      expect(content === 0 || cipher.payloadBytes(content) <= bytes).toBe(true);
      expect(cipher.payloadBytes(content + 1)).toBeGreaterThan(bytes);
    }
  });

  it('opens nowhere but in its account, its backup, its object and its place', () => {
    const payload = made(Buffer.from('rows'), cipher.writer(0));
    const opened = (other: Partial<ObjectPlace>, segment = 0) =>
      passed(payload, new ObjectCipher(format, key, { ...place, ...other }).reader(segment)).toString();
    expect(opened({})).toBe('rows');
    const altered = expect.objectContaining({ code: 'ciphertext-altered' });
    for (const other of [{ accountId: 'evil' }, { backupId: 'b-backup' }, { objectName: 'other.tar.zst' }])
      expect(() => opened(other)).toThrow(altered);
    expect(() => opened({}, 1)).toThrow(altered);
  });

  it('is bound to no two places alike', () => {
    const texts = [
      associatedData({ accountId: '1/acme', backupId: 'b', objectName: 'o' }, 2),
      associatedData({ accountId: 'acme', backupId: 'b', objectName: 'o' }, 21),
      associatedData({ accountId: 'acme', backupId: 'b', objectName: 'o2' }, 1),
    ].map(String);
    expect(new Set(texts).size).toBe(texts.length);
  });

  it('does not open with another key, nor with one of age', () => {
    const payload = made(Buffer.from('rows'), cipher.writer(0));
    const altered = expect.objectContaining({ code: 'ciphertext-altered' });
    expect(() => passed(payload, new ObjectCipher(format, randomBytes(32), place).reader(0))).toThrow(altered);
    expect(() => new ObjectCipher(format, randomBytes(16), place)).toThrow(altered);
  });

  it('opens in no part when a chunk or a byte was changed, moved or left out', () => {
    const content = randomBytes(3 * mebibyte);
    const payload = made(content, cipher.writer(0));
    const chunk = (index: number) => payload.subarray(index * mebibyte, (index + 1) * mebibyte);
    const changed = (at: number) => {
      const bytes = Buffer.from(payload);
      bytes[at] = (bytes[at] ?? 0) ^ 1;
      return bytes;
    };
    const spoilt: [string, Buffer][] = [
      ['the size of the head', changed(0)],
      ['the salt', changed(5)],
      ['the beginning of the nonces', changed(35)],
      ['the first chunk', changed(1_000)],
      ['what proves the second chunk', changed(2 * mebibyte - 1)],
      ['the last byte', changed(payload.length - 1)],
      ['two chunks, exchanged', Buffer.concat([chunk(0), chunk(2), chunk(1), payload.subarray(3 * mebibyte)])],
      ['a chunk, twice', Buffer.concat([chunk(0), chunk(1), payload.subarray(mebibyte)])],
      ['a chunk, left out', Buffer.concat([chunk(0), payload.subarray(2 * mebibyte)])],
      ['the last chunk, cut off', payload.subarray(0, 3 * mebibyte)],
      ['the last byte, cut off', payload.subarray(0, -1)],
      ['all but the head', payload.subarray(0, 40)],
      ['a part of the head', payload.subarray(0, 39)],
      ['everything', Buffer.alloc(0)],
      ['a byte more', Buffer.concat([payload, Buffer.from([0])])],
    ];
    for (const [what, bytes] of spoilt) {
      let code = `${what} was not seen`;
      try {
        passed(bytes, cipher.reader(0));
      } catch (error) {
        code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
      }
      expect([what, code]).toEqual([what, 'ciphertext-altered']);
    }
  });
});
