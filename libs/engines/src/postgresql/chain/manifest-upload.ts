/**
 * The UPLOAD_MANIFEST command as a query of `pg`: gives the server the parent's manifest while it is read, and no faster than
 * the server takes it. The manifest may be larger than our memory.
 * Source: PostgreSQL documentation, "Streaming Replication Protocol", UPLOAD_MANIFEST.
 */
import type { Duplex, Readable } from 'node:stream';
import { messageOf } from '@strongroom/contracts';
import type { Connection, Submittable } from 'pg';

/** What `pg` has, and its types do not. */
interface CopyInConnection {
  stream: Duplex;
  sendCopyFromChunk(chunk: Buffer): void;
  endCopyFrom(): void;
  sendCopyFail(message: string): void;
}

/** The manifest can't be read. When the server refuses it, that is another error. */
export class UnreadableManifest extends Error {}

export class ManifestUpload implements Submittable {
  readonly done: Promise<void>;
  private resolve = () => {};
  private reject: (error: Error) => void = () => {};
  private failure: Error | undefined;

  constructor(private readonly manifest: Readable) {
    this.done = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    this.done.catch(() => {});
    // It may break before the server asks for it. Its reader is told then.
    manifest.on('error', () => {});
  }

  submit(connection: Connection): void {
    connection.query('UPLOAD_MANIFEST');
  }

  handleCopyInResponse(connection: CopyInConnection): void {
    void this.send(connection);
  }

  handleCommandComplete(): void {}

  handleError(error: Error): void {
    this.fail(error);
    this.manifest.destroy();
  }

  handleReadyForQuery(): void {
    if (!this.failure) this.resolve();
  }

  private async send(connection: CopyInConnection): Promise<void> {
    const { stream } = connection;
    try {
      for await (const chunk of this.manifest) {
        if (this.failure || stream.destroyed || !Buffer.isBuffer(chunk)) break;
        connection.sendCopyFromChunk(chunk);
        if (stream.writableNeedDrain) await drained(stream);
      }
    } catch (cause) {
      if (this.failure) return;
      const message = messageOf(cause);
      this.fail(new UnreadableManifest(message, { cause }));
      connection.sendCopyFail('the manifest can not be read');
      return;
    }
    if (!this.failure) connection.endCopyFrom();
  }

  private fail(error: Error): void {
    if (this.failure) return;
    this.failure = error;
    this.reject(error);
  }
}

/** Resolves also when the socket is closed, since nothing drains after that. */
function drained(stream: Duplex): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      stream.off('drain', done).off('close', done);
      resolve();
    };
    stream.on('drain', done).on('close', done);
  });
}
