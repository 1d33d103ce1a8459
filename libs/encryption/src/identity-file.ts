/** A file of identities, as `age-keygen` writes it: one in each line, between comments. */

import { EncryptionFault } from './encryption-fault.js';
import type { Identity } from './keys.js';
import { identityFrom } from './recipients.js';
import { newIdentity, X25519Identity } from './x25519.js';

/** A new identity, as `age-keygen` writes it. */
export function newIdentityFile(...comments: readonly string[]): { text: string; recipient: string } {
  const identity = newIdentity();
  const recipient = new X25519Identity(identity).recipient.text;
  const lines = [...comments, `public key: ${recipient}`].map((line) => `# ${line}`);
  return { text: `${[...lines, identity].join('\n')}\n`, recipient };
}

/** @throws {EncryptionFault} `key-invalid`, which names the line and shows nothing of it; `algorithm-not-allowed` */
export function parseIdentities(text: string): Identity[] {
  const identities: Identity[] = [];
  for (const [index, each] of text.split('\n').entries()) {
    const line = each.trim();
    if (line === '' || line.startsWith('#')) continue;
    identities.push(identityIn(line, index + 1));
  }
  if (identities.length === 0)
    throw new EncryptionFault('key-invalid', 'It has no key. A key is like AGE-SECRET-KEY-1….');
  return identities;
}

function identityIn(line: string, number: number): Identity {
  try {
    return identityFrom(line);
  } catch (error) {
    if (!(error instanceof EncryptionFault) || error.code !== 'key-invalid') throw error;
    throw new EncryptionFault('key-invalid', `Line ${number} is no key. A key is like AGE-SECRET-KEY-1….`);
  }
}
