/** Runs the test vectors of age's authors, which every program that reads age files is to pass. Passphrases and armor are not for us. */
import { createHash } from 'node:crypto';
import { inflateSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import * as files from 'cctv-age';
import { agePayload } from './age-payload.js';
import { EncryptionFault } from './encryption-fault.js';
import { isProven, parseHeader, writeHeader } from './header.js';
import { PayloadReader, PayloadWriter } from './payload.js';
import { X25519Identity } from './x25519.js';

interface Vector {
  name: string;
  facts: Map<string, string>;
  identities: string[];
  file: Buffer;
}

const vectors = Object.entries(files)
  .filter(([, bytes]) => bytes instanceof Uint8Array)
  .map(([name, bytes]) => vectorFrom(name, Buffer.from(bytes)));
const ours = vectors.filter(
  ({ facts, identities }) =>
    !facts.has('armored') &&
    !facts.has('passphrase') &&
    identities.length > 0 &&
    identities.every((each) => each.startsWith('AGE-SECRET-KEY-1')),
);

describe("the test vectors of age's authors", () => {
  it('has those of headers, of X25519 and of payloads', () => {
    const names = ours.map(({ name }) => name);
    for (const kind of ['x25519', 'stream', 'stanza', 'hmac', 'header', 'version'])
      expect([kind, names.filter((name) => name.startsWith(kind)).length > 0]).toEqual([kind, true]);
  });

  it.each(ours.map((vector) => [vector.name, vector] as const))('%s', (_, vector) => {
    const { facts } = vector;
    const [outcome, content] = opened(vector);
    expect(outcome).toBe(facts.get('expect'));
    // Of a payload that is spoilt, programs may give what comes before that, or less.
    const digest = outcome === 'success' ? facts.get('payload') : undefined;
    if (digest !== undefined) expect(createHash('sha256').update(content).digest('hex')).toBe(digest);
  });

  it.each(
    ours.filter(({ facts }) => facts.get('expect') === 'success').map((vector) => [vector.name, vector] as const),
  )('%s is written again, byte for byte', (_, { file, facts, identities }) => {
    const header = parseHeader(file);
    const fileKey = Buffer.from(facts.get('file key') ?? '', 'hex');
    expect(writeHeader(fileKey, header.stanzas)).toEqual(file.subarray(0, header.bytes));
    const payload = file.subarray(header.bytes);
    const [, content] = opened({ file, identities });
    const writer = new PayloadWriter(agePayload, fileKey, undefined, payload.subarray(0, 16));
    expect(Buffer.concat([...writer.update(Buffer.from(content)), ...writer.end()]).equals(payload)).toBe(true);
  });
});

/** What comes of a file, in the words of the vectors, and what was decrypted before it failed. */
function opened({ file, identities }: Pick<Vector, 'file' | 'identities'>): [outcome: string, content: Uint8Array] {
  const content: Uint8Array[] = [];
  let stage = 'header failure';
  try {
    const header = parseHeader(file);
    const fileKey = identities
      .map((each) => new X25519Identity(each).unwrap(header.stanzas))
      .find((found) => found !== undefined);
    if (!fileKey) return ['no match', Buffer.alloc(0)];
    if (!isProven(header, fileKey)) return ['HMAC failure', Buffer.alloc(0)];
    stage = file.length - header.bytes < 16 ? 'header failure' : 'payload failure';
    const reader = new PayloadReader(agePayload, fileKey);
    for (let at = header.bytes; at < file.length; at += 10_007)
      content.push(...reader.update(file.subarray(at, at + 10_007)));
    content.push(reader.end());
    return ['success', Buffer.concat(content)];
  } catch (error) {
    if (!(error instanceof EncryptionFault)) throw error;
    return [stage, Buffer.concat(content)];
  }
}

function vectorFrom(name: string, bytes: Buffer): Vector {
  const end = bytes.indexOf('\n\n');
  const facts = new Map<string, string>();
  const identities: string[] = [];
  for (const line of bytes.toString('latin1', 0, end).split('\n')) {
    const [key = '', ...rest] = line.split(': ');
    if (key === 'identity') identities.push(rest.join(': '));
    else facts.set(key, rest.join(': '));
  }
  const body = bytes.subarray(end + 2);
  return { name, facts, identities, file: facts.get('compressed') === 'zlib' ? inflateSync(body) : body };
}
