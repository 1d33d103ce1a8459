/** Compares the bytes of an object with its manifest, segment by segment, while they pass. What has ended without a fault is the object. */
import { createHash } from 'node:crypto';
import { segmentsOf, type VaultObject, type VaultSegment } from '@strongroom/contracts';

export class SegmentCheck {
  private readonly segments: readonly VaultSegment[];
  private readonly sizeBytes: number;
  private index = 0;
  private hash = createHash('sha256');
  private inSegment = 0;
  private bytes = 0;

  /** @param altered makes the fault of bytes that are not the object's; `why` is a part of a sentence */
  constructor(
    object: VaultObject,
    private readonly altered: (why: string) => Error,
  ) {
    this.segments = segmentsOf(object);
    this.sizeBytes = object.sizeBytes;
  }

  /** @throws what `altered` makes */
  update(chunk: Buffer): void {
    this.bytes += chunk.length;
    if (this.bytes > this.sizeBytes) throw this.altered(`it is longer than ${this.sizeBytes} bytes`);
    for (let rest = chunk; rest.length > 0; ) {
      const segment = this.segments[this.index];
      if (!segment) throw new RangeError('the segments of an object have fewer bytes than it');
      const part = rest.subarray(0, segment.sizeBytes - this.inSegment);
      this.hash.update(part);
      this.inSegment += part.length;
      rest = rest.subarray(part.length);
      if (this.inSegment === segment.sizeBytes) this.endSegment(segment);
    }
  }

  /** To be called when the last byte has come. @throws what `altered` makes */
  end(): void {
    // A segment without bytes never ended by itself.
    for (let segment = this.segments[this.index]; segment; segment = this.segments[this.index])
      this.endSegment(segment);
  }

  /** The same bytes, compared on the way. */
  async *passing(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
    for await (const chunk of source) {
      this.update(chunk);
      yield chunk;
    }
    this.end();
  }

  private endSegment({ sha256 }: VaultSegment): void {
    if (this.hash.digest('hex') !== sha256) throw this.altered('its SHA-256 differs');
    this.hash = createHash('sha256');
    this.inSegment = 0;
    this.index += 1;
  }
}
