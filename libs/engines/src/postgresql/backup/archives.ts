/**
 * Hands out the archives of a backup, each a stream, one after the other. The server is held back while a reader is behind,
 * so that memory stays flat however many archives come. It is not held back after the last archive: what the server says
 * then decides whether the backup is good.
 */
import { Readable } from 'node:stream';
import type { EngineObject } from '../../engine.js';
import { Handover } from './handover.js';

export interface Flow {
  pause(): void;
  resume(): void;
  /** A reader has thrown an archive away before its end. */
  abandoned(): void;
}

const bufferBytes = 1_048_576;
/** Smaller parts are copied together: a megabyte in parts of one byte would take a hundred in memory. */
const smallBytes = 4_096;
const joinedBytes = 65_536;

export class Archives {
  readonly objects = new Handover<EngineObject>();
  private current: Readable | undefined;
  /** The archives that have begun and were not read to the end. */
  private readonly unread = new Set<Readable>();
  private small: Buffer = Buffer.alloc(0);
  private smallBytes = 0;
  private isFull = false;
  private isHeld = false;

  constructor(private readonly flow: Flow) {}

  begin(name: string): void {
    this.endCurrent();
    const archive = new Readable({
      highWaterMark: bufferBytes,
      read: () => {
        if (archive !== this.current) return;
        this.isFull = false;
        this.steer();
      },
    });
    // Its reader gets the error. Without a reader it must not end the process.
    archive.on('error', () => {});
    archive.once('close', () => {
      this.unread.delete(archive);
      if (archive.readableEnded) this.steer();
      else this.flow.abandoned();
    });
    this.current = archive;
    this.unread.add(archive);
    this.objects.put({ name, source: archive });
    this.steer();
  }

  /** What comes outside of an archive is dropped. @param part is kept, and copied only when it is small */
  add(part: Buffer): void {
    if (!this.current) return;
    const isSmall = part.length < smallBytes;
    // A reader that has nothing gets it at once.
    if (!isSmall || this.current.readableLength === 0) {
      this.pushSmall();
      this.push(isSmall ? Buffer.from(part) : part);
      return;
    }
    if (this.small.length === 0) this.small = Buffer.allocUnsafeSlow(joinedBytes);
    this.smallBytes += part.copy(this.small, this.smallBytes);
    if (this.smallBytes > joinedBytes - smallBytes) this.pushSmall();
  }

  private pushSmall(): void {
    if (this.smallBytes > 0) this.push(this.small.subarray(0, this.smallBytes));
    this.small = Buffer.alloc(0);
    this.smallBytes = 0;
  }

  private push(part: Buffer): void {
    if (!this.current || this.current.push(part)) return;
    this.isFull = true;
    this.steer();
  }

  end(): void {
    this.endCurrent();
    this.objects.end();
    this.steer();
  }

  fail(error: Error): void {
    this.current?.destroy(error);
    this.current = undefined;
    this.objects.fail(error);
    this.steer();
  }

  private endCurrent(): void {
    this.pushSmall();
    this.current?.push(null);
    this.current = undefined;
    this.isFull = false;
  }

  private steer(): void {
    const hold = this.current !== undefined && (this.isFull || this.unread.size > 1);
    if (hold === this.isHeld) return;
    this.isHeld = hold;
    if (hold) this.flow.pause();
    else this.flow.resume();
  }
}
