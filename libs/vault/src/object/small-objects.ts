/** Reads the small objects that a vault keeps of itself: states, manifests and its identity. */
import { createHash, randomUUID } from 'node:crypto';
import type { ObjectFacts, ObjectStore } from './object-store.js';

/** The manifest of a backup of a hundred thousand segments has less. What is longer than any of ours can't be parsed. */
const mostBytes = 33_554_432;

export async function smallObject(
  store: ObjectStore,
  key: string,
  signal: AbortSignal,
): Promise<{ bytes: Buffer; facts: ObjectFacts } | undefined> {
  const found = await store.get(key, signal);
  if (!found) return undefined;
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of found.body) {
    if (length + chunk.length > mostBytes) break;
    chunks.push(chunk);
    length += chunk.length;
  }
  return { bytes: Buffer.concat(chunks, length), facts: found.facts };
}

export function digestOf(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

export function newUuid(): string {
  return randomUUID();
}
