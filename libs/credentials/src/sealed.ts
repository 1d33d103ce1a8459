/**
 * The seal of a credential: AES-256-GCM with a random nonce, under a key of the ring that is named beside it. The seal is bound to where
 * the credential may go. So it opens only for the same account, instance, server and user, whatever an event says later.
 */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import type { Endpoint } from '@strongroom/contracts';
import type { KeyRing, SecretKey } from '@strongroom/runtime';

/** What a seal is bound to: whose the credential is, and the connection that it is for. */
export interface Bound {
  accountId: string;
  instanceId: string;
  /** Null or undefined: the one that is stored under the instance itself. */
  credentialId?: string | null | undefined;
  endpoint: Pick<Endpoint, 'host' | 'port' | 'user' | 'tls' | 'caCertificate'>;
}

/** What the seal of a webhook's URL and secrets is bound to: no event can have them sent to another host, or for another account. */
export interface BoundOfWebhook {
  accountId: string;
  webhookId: string;
  secretId: string;
  origin: string;
}

const algorithm = 'aes-256-gcm';
const idBytes = 8;
const nonceBytes = 12;
const tagBytes = 16;
/** The layout is version, id of the key, nonce, tag, ciphertext. */
const version = 2;
/** Before there was a ring: version, nonce, tag, ciphertext, bound to the instance and the credential alone. */
const firstVersion = 1;

/** Why a seal does not open. */
export type NotOpened = 'key-unknown' | 'not-bound-so';

/** What is sealed under the key, and bound so, begins with these bytes. */
export function beginOf(key: SecretKey): Buffer {
  return Buffer.concat([Buffer.from([version]), Buffer.from(key.id, 'hex')]);
}

export function seal(ring: KeyRing, bound: Bound | BoundOfWebhook, text: string): Buffer {
  const key = ring.newest;
  const nonce = randomBytes(nonceBytes);
  const cipher = createCipheriv(algorithm, key.bytes, nonce).setAAD(boundTo(bound, key));
  const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
  return Buffer.concat([beginOf(key), nonce, cipher.getAuthTag(), sealed]);
}

/** @returns the text, or why the seal does not open. The reason never quotes what is sealed */
export function open(
  ring: KeyRing,
  bound: Bound | BoundOfWebhook,
  bytes: Buffer,
): { text: string } | { why: NotOpened } {
  if (bytes[0] === firstVersion && 'instanceId' in bound) return openFirst(ring, bound, bytes);
  const begin = 1 + idBytes;
  if (bytes[0] !== version || bytes.length < begin + nonceBytes + tagBytes) return { why: 'not-bound-so' };
  const key = ring.find(bytes.subarray(1, begin).toString('hex'));
  if (!key) return { why: 'key-unknown' };
  const text = opened(key, boundTo(bound, key), bytes.subarray(begin));
  return text === undefined ? { why: 'not-bound-so' } : { text };
}

/** The id of the key under which it is sealed; undefined for the first layout, which names none. */
export function keyIdOf(bytes: Buffer): string | undefined {
  return bytes[0] === version ? bytes.subarray(1, 1 + idBytes).toString('hex') : undefined;
}

function openFirst(
  ring: KeyRing,
  { instanceId, credentialId }: Bound,
  bytes: Buffer,
): { text: string } | { why: NotOpened } {
  const aad = Buffer.from(credentialId ? `${instanceId}/${credentialId}` : instanceId);
  for (const key of ring.all) {
    const text = opened(key, aad, bytes.subarray(1));
    if (text !== undefined) return { text };
  }
  return { why: 'not-bound-so' };
}

function opened(key: SecretKey, aad: Buffer, bytes: Buffer): string | undefined {
  try {
    const nonce = bytes.subarray(0, nonceBytes);
    const tag = bytes.subarray(nonceBytes, nonceBytes + tagBytes);
    const options = { authTagLength: tagBytes };
    const decipher = createDecipheriv(algorithm, key.bytes, nonce, options).setAAD(aad).setAuthTag(tag);
    return Buffer.concat([decipher.update(bytes.subarray(nonceBytes + tagBytes)), decipher.final()]).toString('utf8');
  } catch {
    return undefined;
  }
}

/** A list as JSON is the same for no two different bindings. */
function boundTo(bound: Bound | BoundOfWebhook, { id }: SecretKey): Buffer {
  if ('webhookId' in bound) {
    const { accountId, webhookId, secretId, origin } = bound;
    return Buffer.from(JSON.stringify(['strongroom webhook', version, id, accountId, webhookId, secretId, origin]));
  }
  const { accountId, instanceId, credentialId = null, endpoint } = bound;
  const { host, port, user, tls, caCertificate } = endpoint;
  const authority = caCertificate ? createHash('sha256').update(caCertificate).digest('hex') : null;
  const parts = ['strongroom credential', version, id, accountId, instanceId, credentialId];
  return Buffer.from(JSON.stringify([...parts, host, port, user, tls, authority]));
}
