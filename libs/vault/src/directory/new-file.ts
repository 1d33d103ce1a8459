/** Makes a file of a row of chunks, past the page cache where that is possible. */
import type { OpenFile } from './vault-files.js';
import { WriteSteps } from './write-steps.js';

export interface NewFileParts {
  /** Makes the file, which is not there yet. @param isForDisks whether it is written from memory that can go past the page cache */
  create(isForDisks: boolean): Promise<OpenFile>;
  /** Each operation on the file goes through it. */
  doing<T>(operation: () => Promise<T>): Promise<T>;
}

/**
 * All of it is on the disk when this returns. A chunk belongs to its owner again when the next one is asked for.
 * @returns its size
 */
export async function writeNewFile({ create, doing }: NewFileParts, source: AsyncIterable<Buffer>): Promise<number> {
  let file: OpenFile | undefined;
  const steps = new WriteSteps(async (bytes) => doing(async () => file?.write(bytes)));
  try {
    file = await create(steps.isForDisks);
    for await (const chunk of source) await steps.take(chunk);
    await steps.end();
    // After a failed sync it is not known what the disk holds of the file.
    await doing(async () => file?.sync());
    return steps.doneBytes;
  } finally {
    await steps.close();
    await file?.close();
  }
}
