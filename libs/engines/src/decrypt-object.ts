/** Decrypts an object of a backup, whose segments are payloads of their own, while it passes. What it gives was proven before. */
import { segmentsOf, type VaultObject } from '@strongroom/contracts';
import type { ObjectCipher } from '@strongroom/encryption';

/** @throws {EncryptionFault} `ciphertext-altered` */
export async function* decryptObject(
  object: VaultObject,
  cipher: ObjectCipher,
  source: AsyncIterable<Buffer>,
): AsyncGenerator<Buffer> {
  const sizes = segmentsOf(object).map(({ sizeBytes }) => sizeBytes);
  let index = 0;
  let left = sizes[0] ?? 0;
  let reader = cipher.reader(index);
  for await (const chunk of source) {
    for (let rest = chunk; rest.length > 0; ) {
      const part = rest.subarray(0, left);
      yield* reader.update(part);
      left -= part.length;
      rest = rest.subarray(part.length);
      if (left > 0) continue;
      if (index >= sizes.length) throw new RangeError('an object is longer than its segments');
      yield reader.end();
      index += 1;
      left = sizes[index] ?? 0;
      reader = cipher.reader(index);
    }
  }
  // An object that ends within a segment was cut short.
  if (index < sizes.length) yield reader.end();
}
