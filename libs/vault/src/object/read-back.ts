/**
 * Reads pieces back while the next ones are sent, one at a time, and holds nothing back: what it has not come to when the last piece was sent, the
 * sealing reads.
 */
import type { Piece } from './object-layout.js';

/** A piece that was put. */
export type PutPiece = Pick<Piece, 'name' | 'bytes'> & { sha256: string };

export class ReadBack {
  private readonly waiting: PutPiece[] = [];
  private reading: Promise<void> | undefined;
  private hasEnded = false;
  private failure: { reason: unknown } | undefined;
  private readonly ending = new AbortController();
  private readonly signal: AbortSignal;

  /** @param read throws when a piece is not what was put */
  constructor(
    private readonly read: (piece: PutPiece, signal: AbortSignal) => Promise<void>,
    signal: AbortSignal,
  ) {
    this.signal = AbortSignal.any([signal, this.ending.signal]);
  }

  /** A piece may be read from now on. */
  add(piece: PutPiece): void {
    this.waiting.push(piece);
  }

  /** To be called when there is more to send: reading is worth it only beside that. @throws why a piece could not be read back */
  goOn(): void {
    this.throwIfFailed();
    this.reading ??= this.readAll().finally(() => {
      this.reading = undefined;
    });
  }

  /** Begins no more, and waits for the piece that is being read. @throws as `goOn` */
  async end(): Promise<void> {
    this.hasEnded = true;
    await this.reading;
    this.throwIfFailed();
  }

  /** Ends what is under way, and waits for it. Why it ends says nothing of the piece that is being read, so the reason is not passed on. */
  async stop(): Promise<void> {
    this.hasEnded = true;
    this.ending.abort();
    await this.reading;
  }

  private async readAll(): Promise<void> {
    try {
      for (let piece = this.next(); piece; piece = this.next()) await this.read(piece, this.signal);
    } catch (reason) {
      this.failure ??= { reason };
    }
  }

  private next(): PutPiece | undefined {
    return this.hasEnded || this.failure ? undefined : this.waiting.shift();
  }

  private throwIfFailed(): void {
    if (this.failure) throw this.failure.reason;
  }
}
