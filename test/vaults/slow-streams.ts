/** A source and a reader that take longer than a vault may, for tests that they are not counted as the vault's time. */
import { setTimeout as delay } from 'node:timers/promises';

/** The bytes, after a pause. @param pauseMs in milliseconds */
export async function* slowSource(bytes: Buffer, pauseMs: number): AsyncGenerator<Buffer> {
  await delay(pauseMs);
  yield bytes;
}

/** Reads to the end, with a pause after each chunk. @param pauseMs in milliseconds */
export async function readSlowly(source: AsyncIterable<unknown>, pauseMs: number): Promise<void> {
  for await (const _ of source) await delay(pauseMs);
}
