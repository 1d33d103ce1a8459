/** The key of one backup, and what is derived from it. It is made anew for each attempt, and is stored wrapped alone. */
import { hkdfSync, randomBytes } from 'node:crypto';

export const fileKeyBytes = 16;
const derivedBytes = 32;

export function newFileKey(): Buffer {
  return randomBytes(fileKeyBytes);
}

/** @param label what the derived key is for: `header` or `payload` in age's format */
export function derived(key: Uint8Array, salt: Uint8Array, label: string): Buffer {
  return Buffer.from(hkdfSync('sha256', key, salt, label, derivedBytes));
}
