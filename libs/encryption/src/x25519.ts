/**
 * The keys of age: an identity is secret, and its recipient is public. Whoever has the recipient can wrap a file key that only the
 * identity unwraps. Source: age-encryption.org/v1 (C2SP), "The X25519 recipient type".
 */
import {
  createCipheriv,
  createDecipheriv,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  type KeyObject,
} from 'node:crypto';
import { agePayload } from './age-payload.js';
import { fromBech32, toBech32 } from './bech32.js';
import { commandPrefix } from './command-key.js';
import { derived } from './derived-key.js';
import { altered, EncryptionFault } from './encryption-fault.js';
import { mustAllowAge } from './fips.js';
import { base64, fromBase64, type Stanza } from './header.js';

const stanzaType = 'X25519';
const label = 'age-encryption.org/v1/X25519';
const recipientPrefix = 'age';
const identityPrefix = 'age-secret-key-';
const keyBytes = 32;
const tagBytes = 16;
const { fileKeyBytes } = agePayload;
/** The wrapping key is used once, so its nonce may be zero. */
const zeroNonce = Buffer.alloc(12);
/** What DER has before the 32 bytes of a key. Source: RFC 8410. */
const before = {
  secret: Buffer.from('302e020100300506032b656e04220420', 'hex'),
  public: Buffer.from('302a300506032b656e032100', 'hex'),
};

export class X25519Recipient {
  private readonly key: Buffer;

  /** @param text such as `age1…` @throws {EncryptionFault} `key-invalid` */
  constructor(readonly text: string) {
    const key = text === text.toLowerCase() ? fromBech32(recipientPrefix, text) : undefined;
    if (key?.length !== keyBytes)
      throw new EncryptionFault('key-invalid', `"${text}" is no recipient of age. It must be like age1…, 62 letters.`);
    this.key = key;
  }

  /** @throws {EncryptionFault} `key-invalid`, when the key is none of age's format; `algorithm-not-allowed` */
  wrap(fileKey: Buffer): Stanza {
    mustAllowAge(`The key ${this.text}`);
    if (fileKey.length !== fileKeyBytes)
      throw new EncryptionFault(
        'key-invalid',
        `The key of a backup in AES-256-GCM is wrapped by programs, like ${commandPrefix}/path/of/program NAME, and by no key of age, which ${this.text} is.`,
      );
    const { privateKey, publicKey } = generateKeyPairSync('x25519');
    const share = rawOf(publicKey);
    const shared = diffieHellman({ privateKey, publicKey: publicFrom(this.key) });
    const wrapping = derived(shared, Buffer.concat([share, this.key]), label);
    const cipher = createCipheriv('chacha20-poly1305', wrapping, zeroNonce, { authTagLength: tagBytes });
    const body = Buffer.concat([cipher.update(fileKey), cipher.final(), cipher.getAuthTag()]);
    return { args: [stanzaType, base64(share)], body };
  }
}

export class X25519Identity {
  readonly recipient: X25519Recipient;
  private readonly secret: KeyObject;
  private readonly publicKey: Buffer;

  /** @param text such as `AGE-SECRET-KEY-1…` @throws {EncryptionFault} `key-invalid`, which does not show the text; `algorithm-not-allowed` */
  constructor(text: string) {
    const secret = text === text.toUpperCase() ? fromBech32(identityPrefix, text) : undefined;
    if (secret?.length !== keyBytes)
      throw new EncryptionFault(
        'key-invalid',
        'A line is no identity of age. It must be like AGE-SECRET-KEY-1…, 74 letters.',
      );
    mustAllowAge('A key of age');
    this.secret = createPrivateKey({ key: Buffer.concat([before.secret, secret]), format: 'der', type: 'pkcs8' });
    this.publicKey = rawOf(createPublicKey(this.secret));
    this.recipient = new X25519Recipient(toBech32(recipientPrefix, this.publicKey));
  }

  /** @returns undefined when no stanza is for this identity @throws {EncryptionFault} when one can't be a stanza */
  unwrap(stanzas: readonly Stanza[]): Buffer | undefined {
    for (const { args, body } of stanzas) {
      const [type, encoded, ...others] = args;
      if (type !== stanzaType) continue;
      const share = encoded === undefined || others.length > 0 ? undefined : fromBase64(encoded);
      if (share?.length !== keyBytes || body.length !== fileKeyBytes + tagBytes)
        throw altered('its header has a stanza of X25519 that can be none');
      const found = this.unwrapWith(share, body);
      if (found) return found;
    }
    return undefined;
  }

  private unwrapWith(share: Buffer, body: Buffer): Buffer | undefined {
    const wrapping = derived(this.sharedWith(share), Buffer.concat([share, this.publicKey]), label);
    const cipher = createDecipheriv('chacha20-poly1305', wrapping, zeroNonce, { authTagLength: tagBytes });
    cipher.setAuthTag(body.subarray(fileKeyBytes));
    const fileKey = cipher.update(body.subarray(0, fileKeyBytes));
    try {
      cipher.final();
      return fileKey;
    } catch {
      // It is wrapped for somebody else.
      return undefined;
    }
  }

  /** OpenSSL refuses a share that gives the same secret to everybody. */
  private sharedWith(share: Buffer): Buffer {
    try {
      return diffieHellman({ privateKey: this.secret, publicKey: publicFrom(share) });
    } catch (cause) {
      throw new EncryptionFault('ciphertext-altered', 'its header has a share that nobody makes', { cause });
    }
  }
}

/** The text of a new identity. @throws {EncryptionFault} `algorithm-not-allowed` */
export function newIdentity(): string {
  mustAllowAge('A key of age');
  const { privateKey } = generateKeyPairSync('x25519');
  const secret = privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(before.secret.length);
  return toBech32(identityPrefix, secret).toUpperCase();
}

function publicFrom(key: Buffer): KeyObject {
  return createPublicKey({ key: Buffer.concat([before.public, key]), format: 'der', type: 'spki' });
}

function rawOf(key: KeyObject): Buffer {
  return key.export({ format: 'der', type: 'spki' }).subarray(before.public.length);
}
