/** Reads a file or a stream that has to be small, whole, and nothing of one that is not. */
import { createReadStream } from 'node:fs';
import { invalid } from './archives-of.js';

/** @throws {EngineFault} `backup-content-invalid` when there is more; errors of the source as they are */
export async function readSmall(
  source: AsyncIterable<unknown> | Buffer,
  { name, mostBytes }: { name: string; mostBytes: number },
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of Buffer.isBuffer(source) ? createReadStream(source) : source) {
    if (!Buffer.isBuffer(chunk)) throw new TypeError('an archive gave no bytes');
    bytes += chunk.length;
    if (bytes > mostBytes) throw invalid(`its ${name} has more than ${mostBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, bytes);
}
