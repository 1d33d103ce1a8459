/**
 * Gives `pg` whole messages, whose texts end within them. The parser of `pg` reads on beyond its buffer where a list of texts has no
 * end, and never stops. Source: PostgreSQL documentation, "Message Formats".
 */
const headerBytes = 5;
/** What follows the name of a column in a RowDescription. */
const columnBytes = 18;
const saslMechanisms = 10;

export class MessageGate {
  /** What has come of a message that is not whole. It is joined only when there is enough of it. */
  private held: Buffer[] = [];
  private heldBytes = 0;
  private wantedBytes = headerBytes;

  /** @returns the messages that are whole now; undefined when there is none @throws {RangeError} when they are none of a server */
  take(chunk: Buffer): Buffer | undefined {
    this.held.push(chunk);
    this.heldBytes += chunk.length;
    if (this.heldBytes < this.wantedBytes) return undefined;
    const bytes = this.held.length === 1 ? chunk : Buffer.concat(this.held, this.heldBytes);
    let at = 0;
    this.wantedBytes = headerBytes;
    while (bytes.length - at >= headerBytes) {
      const length = bytes.readInt32BE(at + 1);
      if (length < 4) throw new RangeError(`a message of ${length} bytes`);
      const end = at + 1 + length;
      if (bytes.length < end) {
        this.wantedBytes = end - at;
        break;
      }
      check(bytes.toString('latin1', at, at + 1), bytes.subarray(at + headerBytes, end));
      at = end;
    }
    const rest = bytes.subarray(at);
    this.held = rest.length > 0 ? [rest] : [];
    this.heldBytes = rest.length;
    return at === 0 ? undefined : bytes.subarray(0, at);
  }
}

function check(type: string, body: Buffer): void {
  switch (type) {
    case 'C':
      afterText(body, 0);
      return;
    case 'S':
      afterText(body, afterText(body, 0));
      return;
    case 'A':
      afterText(body, afterText(body, 4));
      return;
    case 'T':
      checkColumns(body);
      return;
    case 'E':
    case 'N':
      checkList(body, 0, 1);
      return;
    case 'R':
      if (body.readInt32BE(0) === saslMechanisms) checkList(body, 4, 0);
  }
}

function checkColumns(body: Buffer): void {
  let at = 2;
  for (let column = body.readUInt16BE(0); column > 0; column -= 1) at = afterText(body, at) + columnBytes;
  if (at > body.length) throw new RangeError('a column that breaks off');
}

/** A list of texts, each after so many bytes. An empty one ends it. */
function checkList(body: Buffer, from: number, before: number): void {
  let at = from;
  while (at < body.length && body[at] !== 0) at = afterText(body, at + before);
  if (at >= body.length) throw new RangeError('a list of texts that does not end');
}

function afterText(body: Buffer, from: number): number {
  const end = body.indexOf(0, from);
  if (end === -1 || from >= body.length) throw new RangeError('a text that does not end');
  return end + 1;
}
