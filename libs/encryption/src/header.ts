/**
 * The header of age's format: a row of stanzas, in most of which somebody's key wraps the file key, and a code under the file key
 * that proves all of them. Source: age-encryption.org/v1 (C2SP). Stanzas of unknown types are passed over by every program.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { derived } from './derived-key.js';
import { altered } from './encryption-fault.js';

export interface Stanza {
  /** The type, and what belongs to it. Each is printable ASCII without spaces. */
  args: readonly [type: string, ...string[]];
  body: Buffer;
}

export interface Header {
  stanzas: readonly Stanza[];
  /** The bytes that the code proves. */
  proven: Buffer;
  code: Buffer;
  /** How many bytes the header has. */
  bytes: number;
}

const firstLine = 'age-encryption.org/v1';
const lineChars = 64;
const codeBytes = 32;
const argumentForm = /^[!-~]+$/;
/** No header has more. */
const mostBytes = 1_048_576;
const noSalt = Buffer.alloc(0);

export function writeHeader(fileKey: Buffer, stanzas: readonly Stanza[]): Buffer {
  const lines = stanzas.flatMap(({ args, body }) => [`-> ${args.join(' ')}`, ...bodyLines(body)]);
  const proven = Buffer.from([firstLine, ...lines, '---'].join('\n'));
  return Buffer.concat([proven, Buffer.from(` ${base64(codeOf(fileKey, proven))}\n`)]);
}

/** @throws {EncryptionFault} `ciphertext-altered`, unless the bytes begin with a header. What comes after it is not looked at */
export function parseHeader(bytes: Buffer): Header {
  const lines = new Lines(bytes);
  if (lines.next() !== firstLine) throw altered('it does not begin as age-encryption.org/v1 does');
  const stanzas: Stanza[] = [];
  for (;;) {
    const at = lines.at;
    const line = lines.next();
    if (line.startsWith('--- ')) {
      if (stanzas.length === 0) throw altered('its header has no stanza');
      const code = fromBase64(line.slice('--- '.length));
      if (code.length !== codeBytes) throw altered('the code of its header is not as long as it should be');
      return { stanzas, proven: bytes.subarray(0, at + '---'.length), code, bytes: lines.at };
    }
    const [mark, type, ...others] = line.split(' ');
    if (mark !== '->' || type === undefined || ![type, ...others].every((each) => argumentForm.test(each)))
      throw altered('a line of its header is no stanza');
    stanzas.push({ args: [type, ...others], body: bodyFrom(lines) });
  }
}

/** Whether the header was written by somebody who has the file key. */
export function isProven({ proven, code }: Header, fileKey: Buffer): boolean {
  return timingSafeEqual(codeOf(fileKey, proven), code);
}

/** As age writes bytes: canonical, without padding. @throws {EncryptionFault} */
export function fromBase64(text: string): Buffer {
  const bytes = Buffer.from(text, 'base64');
  if (base64(bytes) !== text) throw altered('its header has what is no canonical base64');
  return bytes;
}

export function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64').replace(/=+$/, '');
}

function codeOf(fileKey: Buffer, proven: Buffer): Buffer {
  return createHmac('sha256', derived(fileKey, noSalt, 'header'))
    .update(proven)
    .digest();
}

/** The last line is shorter than the others, and may be empty. */
function bodyLines(body: Buffer): string[] {
  const text = base64(body);
  const lines: string[] = [];
  for (let at = 0; at <= text.length; at += lineChars) lines.push(text.slice(at, at + lineChars));
  return lines;
}

function bodyFrom(lines: Lines): Buffer {
  const parts: Buffer[] = [];
  for (;;) {
    const line = lines.next();
    if (line.length > lineChars) throw altered('a line of its header is too long');
    parts.push(fromBase64(line));
    if (line.length < lineChars) return Buffer.concat(parts);
  }
}

class Lines {
  at = 0;

  constructor(private readonly bytes: Buffer) {}

  next(): string {
    const end = this.bytes.indexOf(0x0a, this.at);
    if (end < 0 || end > mostBytes) throw altered('its header does not end');
    const line = this.bytes.toString('latin1', this.at, end);
    this.at = end + 1;
    return line;
  }
}
