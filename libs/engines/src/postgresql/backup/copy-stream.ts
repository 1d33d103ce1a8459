/**
 * Takes PostgreSQL's messages out of a socket's chunks, no matter where the chunks are cut. The data of CopyData messages is
 * passed on in parts as it comes, and neither joined nor copied. Every other message is given whole. Source: PostgreSQL
 * documentation, "Message Formats".
 */

export interface CopySink {
  /** A message that is not CopyData: its type byte and its body. */
  message(type: string, body: Buffer): void;
  /** The beginning of a CopyData message: its first byte says what it is. */
  copyKind(kind: string): void;
  /** A part of the current CopyData message, after its first byte. */
  copyPart(part: Buffer): void;
  copyMessageEnd(): void;
}

const copyData = 'd'.charCodeAt(0);
const headerBytes = 5;
/** Every message but CopyData is small, and is kept until it is whole. A longer one is not PostgreSQL's. */
const largestMessage = 262_144;

export class CopyStream {
  /** What has come of a message that is not whole. It is joined only when there is enough of it. */
  private held: Buffer[] = [];
  private heldBytes = 0;
  private wantedBytes = 1;
  /** How many bytes of the current CopyData message have not come yet. Undefined between messages. */
  private copyLeft: number | undefined;
  private copyBegun = false;

  constructor(private readonly sink: CopySink) {}

  /** @throws {RangeError} when the bytes can't be messages */
  take(chunk: Buffer): void {
    this.hold(chunk);
    if (this.heldBytes < this.wantedBytes) return;
    let buffer = this.held.length === 1 ? chunk : Buffer.concat(this.held, this.heldBytes);
    this.held = [];
    this.heldBytes = 0;
    while (buffer.length > 0) {
      const taken = this.copyLeft === undefined ? this.takeHeader(buffer) : this.takeCopy(buffer, this.copyLeft);
      if (taken === 0) {
        this.hold(buffer);
        return;
      }
      buffer = buffer.subarray(taken);
    }
  }

  private hold(chunk: Buffer): void {
    this.held.push(chunk);
    this.heldBytes += chunk.length;
  }

  private takeHeader(buffer: Buffer): number {
    this.wantedBytes = headerBytes;
    if (buffer.length < headerBytes) return 0;
    const type = buffer.readUInt8(0);
    const length = buffer.readInt32BE(1);
    if (length < 4) throw new RangeError(`a message of ${length} bytes`);
    if (type === copyData) {
      this.copyLeft = length - 4;
      this.copyBegun = false;
      this.wantedBytes = 1;
      if (this.copyLeft === 0) this.endCopy();
      return headerBytes;
    }
    if (length > largestMessage) throw new RangeError(`a message of ${length} bytes`);
    this.wantedBytes = 1 + length;
    if (buffer.length < 1 + length) return 0;
    this.wantedBytes = 1;
    this.sink.message(String.fromCharCode(type), buffer.subarray(headerBytes, 1 + length));
    return 1 + length;
  }

  private takeCopy(buffer: Buffer, left: number): number {
    const part = buffer.subarray(0, left);
    this.copyLeft = left - part.length;
    let data = part;
    if (!this.copyBegun) {
      this.copyBegun = true;
      this.sink.copyKind(String.fromCharCode(part.readUInt8(0)));
      data = part.subarray(1);
    }
    if (data.length > 0) this.sink.copyPart(data);
    if (this.copyLeft === 0) this.endCopy();
    return part.length;
  }

  private endCopy(): void {
    this.copyLeft = undefined;
    this.sink.copyMessageEnd();
  }
}

/** The values of a DataRow message, as text. @throws {RangeError} when they are not the whole of it */
export function rowValues(body: Buffer): (string | null)[] {
  const values: (string | null)[] = [];
  let at = 2;
  for (let column = body.readUInt16BE(0); column > 0; column -= 1) {
    const length = body.readInt32BE(at);
    at += 4;
    if (length > body.length - at) throw new RangeError(`a value of ${length} bytes`);
    values.push(length < 0 ? null : body.toString('utf8', at, at + length));
    at += Math.max(0, length);
  }
  if (at !== body.length) throw new RangeError('a row that is longer than its values');
  return values;
}

/** The fields of an ErrorResponse or NoticeResponse, by their letters: `C` the SQLSTATE, `M` the message. */
export function errorFields(body: Buffer): Record<string, string> {
  const fields: Record<string, string> = {};
  for (const field of body.toString('utf8').split('\0')) if (field.length > 0) fields[field.charAt(0)] = field.slice(1);
  return fields;
}
