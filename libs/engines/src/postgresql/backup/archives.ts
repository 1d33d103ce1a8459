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

export class Archives {
  readonly objects = new Handover<EngineObject>();
  private current: Readable | undefined;
  /** The archives that have begun and were not read to the end. */
  private readonly unread = new Set<Readable>();
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

  /** What comes outside of an archive is dropped. @param part is kept and not copied */
  add(part: Buffer): void {
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
