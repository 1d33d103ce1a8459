/** Makes recipients and identities of the texts in which they are given. */
import { CommandKey, commandPrefix } from './command-key.js';
import type { Identity, Recipient } from './keys.js';
import { X25519Identity, X25519Recipient } from './x25519.js';

/** What a header calls the scheduler's own key, which opens what an incremental needs. By it a rotation knows that key. */
export const chainHolder = 'the scheduler, for incrementals';

/** @param text such as `age1…` or `command:/path NAME` @throws {EncryptionFault} `key-invalid` */
export function recipientFrom(text: string, name?: string): Recipient {
  if (text.startsWith(commandPrefix)) return new CommandKey(text.slice(commandPrefix.length), name);
  const recipient = new X25519Recipient(text);
  return { id: text, name, wrap: (fileKey) => recipient.wrap(fileKey) };
}

/** @param text such as `AGE-SECRET-KEY-1…` or `command:/path NAME` @throws {EncryptionFault} `key-invalid` */
export function identityFrom(text: string): Identity {
  return text.startsWith(commandPrefix) ? new CommandKey(text.slice(commandPrefix.length)) : new X25519Identity(text);
}

/** For whom something is encrypted that is to be opened by this identity. */
export function recipientOf(text: string, name?: string): Recipient {
  return text.startsWith(commandPrefix)
    ? new CommandKey(text.slice(commandPrefix.length), name)
    : recipientFrom(new X25519Identity(text).recipient.text, name);
}
