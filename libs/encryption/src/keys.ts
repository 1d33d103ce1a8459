/**
 * The keys of a backup: a header of age's format that lies apart, before no payload. Beside the stanzas that wrap the file key it has some
 * that say what it belongs to: `strongroom.backup` with the SHA-256 of the manifest, and a `strongroom.recipient` for each whose key
 * opens it. The header's own code proves them under the file key. So nobody who lacks that key can put the header to another backup, or
 * change the manifest. Every other program passes over them: `cat keys.age SEGMENT | age --decrypt` works. The keys of a backup in
 * AES-256-GCM lie in the same form, which takes only HKDF and HMAC with SHA-256, and in which programs alone wrap them.
 */
import { sha256Hex } from '@strongroom/contracts';
import { altered, EncryptionFault } from './encryption-fault.js';
import { type Header, isProven, parseHeader, type Stanza, writeHeader } from './header.js';

/** Somebody whose key opens backups. */
export interface Recipient {
  /** What the key is told by: `age1…`, or the name of a command. */
  readonly id: string;
  /** What people call it; undefined when nobody has said. */
  readonly name?: string | undefined;
  /** @throws {EncryptionFault} `key-invalid`, when it can't wrap keys of that format; `key-command-failed` */
  wrap(fileKey: Buffer): Stanza | Promise<Stanza>;
}

/** A key that opens backups. */
export interface Identity {
  unwrap(stanzas: readonly Stanza[]): Buffer | undefined | Promise<Buffer | undefined>;
}

/** Whom a header names. */
export interface NamedRecipient {
  id: string;
  name?: string | undefined;
}

/** What a header says of itself. Nobody has proven it yet. */
export interface ToldKeys {
  /** The SHA-256 of the manifest that it belongs to. */
  manifestSha256: string;
  /** Which of the keys of a backup it wraps. */
  of: string;
  recipients: NamedRecipient[];
}

export interface OpenKeys extends ToldKeys {
  fileKey: Buffer;
}

const ofBackup = 'strongroom.backup';
const ofRecipient = 'strongroom.recipient';
const nothing = Buffer.alloc(0);

/** A file key, wrapped for everybody who is to open it. What it belongs to is not known yet. */
export interface WrappedKey {
  fileKey: Buffer;
  stanzas: readonly Stanza[];
}

/** @throws {EncryptionFault} `key-invalid`, `key-command-failed` */
export async function wrapKey(fileKey: Buffer, recipients: readonly Recipient[]): Promise<WrappedKey> {
  if (recipients.length === 0) throw new EncryptionFault('key-invalid', 'Nobody would have the key.');
  const stanzas: Stanza[] = [];
  for (const recipient of recipients) {
    const { id, name } = recipient;
    const named = name === undefined ? [] : [encodeURIComponent(name)];
    stanzas.push({ args: [ofRecipient, encodeURIComponent(id), ...named], body: nothing });
    stanzas.push(await recipient.wrap(fileKey));
  }
  return { fileKey, stanzas };
}

/** The header of a wrapped key, once it is known what it belongs to. */
export function keysHeader(
  { fileKey, stanzas }: WrappedKey,
  { of, manifestSha256 }: Pick<ToldKeys, 'of' | 'manifestSha256'>,
): Buffer {
  return writeHeader(fileKey, [{ args: [ofBackup, of, manifestSha256], body: nothing }, ...stanzas]);
}

/** Wraps a file key and says what it belongs to. @throws {EncryptionFault} as `wrapKey` */
export async function writeKeys(
  { fileKey, ...told }: Omit<OpenKeys, 'recipients'>,
  recipients: readonly Recipient[],
): Promise<Buffer> {
  return keysHeader(await wrapKey(fileKey, recipients), told);
}

/** What a header says, without a key. @throws {EncryptionFault} `ciphertext-altered`, when it is no header of a backup */
export function readKeys(bytes: Buffer): ToldKeys {
  return toldBy(wholeHeader(bytes));
}

/**
 * Opens a header.
 * @throws {EncryptionFault} `key-missing`, which names the keys that open it; `ciphertext-altered`, when it is not what somebody with
 *   the file key has written
 */
export async function openKeys(bytes: Buffer, identities: readonly Identity[]): Promise<OpenKeys> {
  const header = wholeHeader(bytes);
  const told = toldBy(header);
  for (const identity of identities) {
    const fileKey = await identity.unwrap(header.stanzas);
    if (!fileKey) continue;
    if (!isProven(header, fileKey)) throw altered('its keys were changed');
    return { ...told, fileKey };
  }
  throw new EncryptionFault('key-missing', `It opens with the key of ${namesOf(told.recipients)}.`);
}

/** Wraps the same file key for others. @throws {EncryptionFault} as `openKeys` */
export async function rewrapKeys(
  bytes: Buffer,
  identities: readonly Identity[],
  recipients: readonly Recipient[],
): Promise<Buffer> {
  return writeKeys(await openKeys(bytes, identities), recipients);
}

export function namesOf(recipients: readonly NamedRecipient[]): string {
  return recipients.map(({ id, name }) => (name === undefined ? id : `${name} (${id})`)).join(' or ');
}

function wholeHeader(bytes: Buffer): Header {
  const header = parseHeader(bytes);
  if (header.bytes !== bytes.length) throw altered('something comes after its header');
  return header;
}

function toldBy({ stanzas }: Header): ToldKeys {
  const [of, manifestSha256, ...others] = stanzas.find(({ args }) => args[0] === ofBackup)?.args.slice(1) ?? [];
  const digest = sha256Hex.safeParse(manifestSha256);
  if (of === undefined || !digest.success || others.length > 0) throw altered('its keys do not say of what they are');
  const recipients = stanzas.flatMap(({ args: [type, id, name] }) =>
    type === ofRecipient && id !== undefined
      ? [{ id: decoded(id), ...(name !== undefined && { name: decoded(name) }) }]
      : [],
  );
  return { of, manifestSha256: digest.data, recipients };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
