/** Gives new ids. They are UUIDv7 (RFC 9562, 5.7): later ids sort later, which keeps indexes compact. */
import { randomFillSync } from 'node:crypto';

export abstract class Ids {
  /** A new UUID, in lower case. */
  abstract next(): string;
}

const bytesOfId = 16;
/** A call for random bytes costs more than what it gives for one id, so it is made for many at a time. */
const pool = new DataView(new ArrayBuffer(256 * bytesOfId));
let used = pool.byteLength;
/** The millisecond of the last id, which never goes back, and the place of that id in it. */
let msecs = 0;
let seq = 0;
const largestSeq = 2 ** 32 - 1;

/** What an id is made in. Each request has several ids, and memory of its own for each would be half of what it costs. */
const id = new DataView(new ArrayBuffer(bytesOfId));
const text = Buffer.from('xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx', 'latin1');
const [zero, a] = [0x30, 0x61];

export class RandomIds extends Ids {
  next(): string {
    if (used === pool.byteLength) {
      randomFillSync(pool);
      used = 0;
    }
    const random = used;
    used += bytesOfId;
    const now = Date.now();
    if (now > msecs || seq === largestSeq) {
      msecs = Math.max(now, msecs + 1);
      // The first bit is free, so that many more ids of this millisecond sort behind this one.
      seq = pool.getUint32(random) >>> 1;
    } else seq += 1;
    id.setUint16(0, msecs / 2 ** 32);
    id.setUint32(2, msecs);
    id.setUint16(6, 0x7000 | (seq >>> 20));
    id.setUint16(8, 0x8000 | ((seq >>> 6) & 0x3fff));
    id.setUint16(10, ((seq & 0x3f) << 10) | (pool.getUint16(random + 4) & 0x3ff));
    id.setUint32(12, pool.getUint32(random + 6));
    return textOfId();
  }
}

function textOfId(): string {
  let place = 0;
  for (let at = 0; at < bytesOfId; at += 1) {
    if (at === 4 || at === 6 || at === 8 || at === 10) place += 1;
    const byte = id.getUint8(at);
    text[place] = digit(byte >>> 4);
    text[place + 1] = digit(byte & 0xf);
    place += 2;
  }
  return text.toString('latin1');
}

/** The character of a digit of base 16. */
function digit(value: number): number {
  return value < 10 ? zero + value : a + value - 10;
}
