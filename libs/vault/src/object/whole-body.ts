/**
 * The bytes of an object as they come. Where the connection breaks, they are asked for from there on, as long as it is the same
 * object. They end only when all of them have come.
 */
import type { Readable } from 'node:stream';
import { passedMemory } from '@strongroom/runtime/light';
import type { ByteRange } from '../vault.js';
import { type Asking, pauseAfter } from './patience.js';
import { HollowAnswer } from './store-refusal.js';

export interface BodyParts {
  /** The body that the first answer brought. */
  first: Readable;
  from: number;
  bytes: number;
  /** Asks for so many bytes from there on. */
  again(range: ByteRange): Promise<Readable>;
  asking: Asking;
}

/** @throws what broke last, and the signal's reason when it is aborted */
export async function* wholeBody({ first, from, bytes, again, asking }: BodyParts): AsyncGenerator<Buffer> {
  let at = 0;
  let body = first;
  let attempt = 1;
  for (;;) {
    try {
      for await (const chunk of endedBy(body, asking.signal)) {
        at += chunk.length;
        if (at > bytes) throw new Error(`it gave more bytes of an object than the object has, ${bytes}`);
        attempt = 1;
        yield chunk;
        passedMemory.passed(chunk.length);
      }
      if (at === bytes) return;
      throw new HollowAnswer(`the object ended after ${at} of ${bytes} bytes`);
    } catch (error) {
      await pauseAfter(error, attempt, asking);
      attempt += 1;
      body = await again({ from: from + at, bytes: bytes - at });
    }
  }
}

/** The chunks of a body, which is left behind neither when its reader goes nor when the signal is aborted. */
async function* endedBy(body: Readable, signal: AbortSignal): AsyncGenerator<Buffer> {
  const end = () => body.destroy();
  if (signal.aborted) end();
  signal.addEventListener('abort', end, { once: true });
  try {
    for await (const chunk of body) yield Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk);
    signal.throwIfAborted();
  } finally {
    signal.removeEventListener('abort', end);
    end();
  }
}
