/**
 * The BASE_BACKUP command as a query of `pg`. While it runs it reads the socket itself: `pg` has no notion of a result
 * that is a stream of archives, and its parser gives out views of a buffer that it uses again. When the server is ready
 * for the next query the socket is handed back. This leans on the inside of `pg`, whose version is pinned for it.
 * Source: PostgreSQL documentation, "Streaming Replication Protocol", BASE_BACKUP.
 */
import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import type { Connection, Submittable } from 'pg';
import type { EngineObject } from '../engine.js';
import { EngineFault } from '../engine-fault.js';
import { type CopySink, CopyStream, errorFields, rowValues } from './copy-stream.js';
import { Handover } from './handover.js';
import { faultOfServer } from './server-fault.js';

export interface Tablespace {
  oid: string;
  location: string;
}

/** Known before the first archive. */
export interface BackupStart {
  startLsn: string;
  timeline: number;
  tablespaces: Tablespace[];
  /** Without WAL. */
  estimatedBytes: number | null;
}

export interface BaseBackupOptions {
  label: string;
  /** After so long without a byte, though we are reading, the server is given up. */
  stallMs: number;
}

export const manifestName = 'backup_manifest';

const archiveBufferBytes = 1_048_576;

export class BaseBackup implements Submittable, CopySink {
  /** Resolves when the server begins to send. */
  readonly begun: Promise<BackupStart>;
  /** Resolves with the end LSN when the server has said that the backup is good. */
  readonly ended: Promise<string>;
  /** The archives and the server's manifest, one after the other. */
  readonly objects = new Handover<EngineObject>();

  private readonly stream = new CopyStream(this);
  private readonly rows: (string | null)[][] = [];
  private archive: Readable | undefined;
  /** What the current CopyData message is: `n` a new archive, `d` data, `m` the manifest begins, `p` progress. */
  private kind: string | undefined;
  private archiveName: Buffer[] = [];
  private copying = false;
  private complete = false;
  private failure: Error | undefined;
  private paused = false;
  private lastByteAt = performance.now();
  private watchdog: NodeJS.Timeout | undefined;
  private socket: Socket | undefined;
  private parser: ((chunk: Buffer) => void) | undefined;
  private resolveBegun!: (start: BackupStart) => void;
  private rejectBegun!: (error: Error) => void;
  private resolveEnded!: (endLsn: string) => void;
  private rejectEnded!: (error: Error) => void;
  private start: BackupStart | undefined;

  constructor(private readonly options: BaseBackupOptions) {
    this.begun = new Promise((resolve, reject) => {
      this.resolveBegun = resolve;
      this.rejectBegun = reject;
    });
    this.ended = new Promise((resolve, reject) => {
      this.resolveEnded = resolve;
      this.rejectEnded = reject;
    });
    // Whoever asks gets the failure; that nobody asks any more is no fault of the process.
    this.begun.catch(() => {});
    this.ended.catch(() => {});
  }

  // ---- as a query of pg

  submit(connection: Connection): void {
    const socket = connection.stream;
    const [parser, ...others] = socket.listeners('data');
    if (!parser || others.length > 0)
      throw new TypeError('pg reads its socket in an unknown way: this version does not fit');
    this.socket = socket as Socket;
    this.parser = parser as (chunk: Buffer) => void;
    socket.off('data', this.parser);
    socket.on('data', this.takeChunk);
    socket.once('close', this.connectionClosed);
    this.watchdog = setInterval(() => this.watch(), Math.min(1_000, this.options.stallMs / 4));
    const label = this.options.label.replaceAll("'", "''");
    connection.query(
      `BASE_BACKUP (LABEL '${label}', PROGRESS, CHECKPOINT 'fast', WAL, MANIFEST 'yes', MANIFEST_CHECKSUMS 'SHA256')`,
    );
  }

  handleError(error: Error): void {
    this.fail(faultOfServer(error));
  }

  handleReadyForQuery(): void {}

  // ---- the socket

  private readonly takeChunk = (chunk: Buffer): void => {
    this.lastByteAt = performance.now();
    try {
      this.stream.take(chunk);
    } catch (error) {
      this.fail(
        new EngineFault(
          'protocol-violation',
          `The server sent what is no backup: ${error instanceof Error ? error.message : error}.`,
          { cause: error },
        ),
      );
      this.socket?.destroy();
    }
  };

  private readonly connectionClosed = (): void => {
    this.fail(new EngineFault('server-unreachable', 'The connection to the server broke while it sent the backup.'));
  };

  private watch(): void {
    const silentMs = performance.now() - this.lastByteAt;
    if (this.paused) this.lastByteAt = performance.now();
    else if (silentMs > this.options.stallMs) {
      this.fail(
        new EngineFault(
          'server-stalled',
          `The server sent nothing for ${Math.round(silentMs / 1_000)} s; the backup is given up.`,
        ),
      );
      this.socket?.destroy();
    }
  }

  /** Ends the backup from our side; the server notices and cleans up. */
  abort(error: Error): void {
    this.fail(error);
    this.socket?.destroy();
  }

  /** Lets `pg` have the socket again, with the message that tells it that the server is ready. */
  private handBack(ready: Buffer): void {
    const { socket, parser } = this;
    this.release();
    if (!socket || !parser) return;
    socket.on('data', parser);
    socket.resume();
    const header = Buffer.from([0x5a, 0, 0, 0, 0]);
    header.writeInt32BE(ready.length + 4, 1);
    parser.call(socket, Buffer.concat([header, ready]));
  }

  private release(): void {
    clearInterval(this.watchdog);
    this.socket?.off('data', this.takeChunk);
    this.socket?.off('close', this.connectionClosed);
  }

  // ---- messages

  message(type: string, body: Buffer): void {
    switch (type) {
      case 'D':
        this.rows.push(rowValues(body));
        return;
      case 'H':
        this.beginCopy();
        return;
      case 'c':
        this.endArchive();
        this.objects.end();
        return;
      case 'C':
        if (body.toString('latin1').startsWith('BASE_BACKUP')) this.complete = true;
        return;
      case 'E': {
        const { C: code = '', M: message = '' } = errorFields(body);
        this.fail(faultOfServer(Object.assign(new Error(message), { code })));
        return;
      }
      case 'Z':
        this.finish();
        this.handBack(body);
    }
  }

  private beginCopy(): void {
    const [[startLsn, timeline] = [], ...spaces] = this.rows.splice(0);
    if (!startLsn || !timeline) {
      this.fail(new EngineFault('protocol-violation', 'The server did not say where its backup starts.'));
      return;
    }
    const sizes = spaces.map(([, , kilobytes]) => kilobytes);
    this.copying = true;
    this.start = {
      startLsn,
      timeline: Number(timeline),
      tablespaces: spaces.flatMap(([oid, location]) => (oid && location ? [{ oid, location }] : [])),
      estimatedBytes: sizes.some((size) => size == null)
        ? null
        : sizes.reduce((sum, size) => sum + Number(size) * 1_024, 0),
    };
    this.resolveBegun(this.start);
  }

  copyKind(kind: string): void {
    if (!this.copying || this.failure) return;
    this.kind = kind;
    if (kind === 'm') this.beginArchive(manifestName);
    else if (kind === 'n') this.archiveName = [];
    else if (kind !== 'd' && kind !== 'p') {
      this.fail(new EngineFault('protocol-violation', `The server sent a part of kind "${kind}", which is unknown.`));
    }
  }

  copyPart(part: Buffer): void {
    if (this.failure) return;
    if (this.kind === 'n') this.archiveName.push(part);
    else if (this.kind === 'd' && this.archive && !this.archive.push(part)) this.pause();
  }

  copyMessageEnd(): void {
    if (this.kind === 'n' && !this.failure) {
      const [name = ''] = Buffer.concat(this.archiveName).toString('utf8').split('\0');
      this.beginArchive(name);
    }
    this.kind = undefined;
  }

  // ---- archives

  private beginArchive(name: string): void {
    this.endArchive();
    const archive = new Readable({ highWaterMark: archiveBufferBytes, read: () => this.resume() });
    archive.on('error', () => {});
    // Who throws an archive away does not want the backup any more.
    archive.once('close', () => {
      if (!archive.readableEnded && !this.failure)
        this.abort(new EngineFault('cancelled', 'The backup was given up by its reader.'));
    });
    this.archive = archive;
    this.objects.put({ name, source: archive });
  }

  private endArchive(): void {
    this.archive?.push(null);
    this.archive = undefined;
  }

  private pause(): void {
    this.paused = true;
    this.socket?.pause();
  }

  private resume(): void {
    if (!this.paused) return;
    this.paused = false;
    this.lastByteAt = performance.now();
    this.socket?.resume();
  }

  // ---- the end

  private finish(): void {
    const endLsn = this.rows.at(-1)?.[0];
    if (this.failure) return;
    if (!this.complete || !endLsn || !this.start) {
      this.fail(new EngineFault('protocol-violation', 'The server ended the backup without saying that it is good.'));
    } else this.resolveEnded(endLsn);
  }

  private fail(error: Error): void {
    if (this.failure) return;
    this.failure = error;
    clearInterval(this.watchdog);
    this.rejectBegun(error);
    this.rejectEnded(error);
    this.archive?.destroy(error);
    this.objects.fail(error);
    this.resume();
  }
}
