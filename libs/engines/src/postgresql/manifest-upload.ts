/**
 * The UPLOAD_MANIFEST command as a query of `pg`: gives the server the manifest of the backup that an incremental is to
 * be built on. Source: PostgreSQL documentation, "Streaming Replication Protocol", UPLOAD_MANIFEST.
 */
import type { Connection, Submittable } from 'pg';

/** What `pg` has, and its types do not. */
interface CopyInConnection {
  sendCopyFromChunk(chunk: Buffer): void;
  endCopyFrom(): void;
}

const chunkBytes = 65_536;

export class ManifestUpload implements Submittable {
  readonly done: Promise<void>;
  private resolve = () => {};
  private reject: (error: Error) => void = () => {};
  private failure: Error | undefined;

  constructor(private readonly manifest: Buffer) {
    this.done = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    this.done.catch(() => {});
  }

  submit(connection: Connection): void {
    connection.query('UPLOAD_MANIFEST');
  }

  handleCopyInResponse(connection: CopyInConnection): void {
    for (let at = 0; at < this.manifest.length; at += chunkBytes) {
      connection.sendCopyFromChunk(this.manifest.subarray(at, at + chunkBytes));
    }
    connection.endCopyFrom();
  }

  handleCommandComplete(): void {}

  handleError(error: Error): void {
    this.failure ??= error;
    this.reject(error);
  }

  handleReadyForQuery(): void {
    if (!this.failure) this.resolve();
  }
}
