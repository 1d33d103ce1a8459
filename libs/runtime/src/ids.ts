/** Gives new ids. They are UUIDv7: later ids sort later, which keeps indexes compact. */
import { randomFillSync } from 'node:crypto';
import { v7 } from 'uuid';

export abstract class Ids {
  /** A new UUID, in lower case. */
  abstract next(): string;
}

const bytesOfId = 16;
/** A call for random bytes costs more than what it gives for one id, so it is made for many at a time. */
const pool = new Uint8Array(256 * bytesOfId);
let used = pool.length;
/** The millisecond of the last id, which never goes back, and the place of that id in it. */
let msecs = 0;
let seq = 0;
const largestSeq = 2 ** 32 - 1;

export class RandomIds extends Ids {
  next(): string {
    if (used === pool.length) {
      randomFillSync(pool);
      used = 0;
    }
    const random = pool.subarray(used, used + bytesOfId);
    used += bytesOfId;
    const now = Date.now();
    if (now > msecs || seq === largestSeq) {
      msecs = Math.max(now, msecs + 1);
      // The first bit is free, so that many more ids of this millisecond sort behind this one.
      seq = new DataView(random.buffer, random.byteOffset).getUint32(6) >>> 1;
    } else seq += 1;
    return v7({ random, msecs, seq });
  }
}
