/**
 * The BASE_BACKUP command as a query of `pg`. While it runs it reads the socket itself: `pg` has no result that is a stream
 * of archives, and its parser gives out views of a buffer that it uses again. It hands the socket back when the server is
 * ready for the next query. This depends on internals of `pg`, whose version is pinned for that reason.
 * Source: PostgreSQL documentation, "Streaming Replication Protocol", BASE_BACKUP.
 */
import type { Duplex } from 'node:stream';
import { messageOf } from '@strongroom/contracts';
import type { Connection, Submittable } from 'pg';
import { z } from 'zod';
import { EngineFault } from '../../engine-fault.js';
import { outcome } from '../../outcome.js';
import type { ServerConnection } from '../connection.js';
import { compareLsn } from '../lsn.js';
import * as said from '../server-says.js';
import type { Patience } from '../silence-limit.js';
import { Archives } from './archives.js';
import { type CopySink, CopyStream, errorFields, rowValues } from './copy-stream.js';

export interface Tablespace {
  oid: string;
  location: string;
}

/** What is known before the first archive. */
export interface BackupStart {
  startLsn: string;
  timeline: number;
  tablespaces: Tablespace[];
  /** The server's estimate, without WAL. */
  estimatedBytes: number | null;
}

export interface BaseBackupOptions {
  label: string;
  /** Whether it is built on the backup whose manifest was uploaded before. */
  isIncremental?: boolean;
  /** Whether the archive has a file with the places of the tablespaces, and no links to them. */
  mapsTablespaces?: boolean;
  connection: ServerConnection;
  patience: Patience;
  /** Asks why the server has ended the connection, when it did not say. Gives the fault as it is where it can't tell. */
  explain: (fault: EngineFault, startLsn: string) => Promise<EngineFault>;
}

export const manifestName = 'backup_manifest';

const backupStart = z.tuple([said.lsn, said.timeline]);
const backupEnd = z.tuple([said.lsn, said.timeline]);
/** A tablespace; or the data folder, which has neither oid nor place. */
const sizedSpace = z.union([
  z.tuple([said.oid, said.location, said.kilobytes.nullable()]),
  z.tuple([z.null(), z.null(), said.kilobytes.nullable()]),
]);
/** A tablespace has a folder of its own, which somebody has made. */
const mostSpaces = 10_000;
const mostRowBytes = 8_192;
/** All rows together. What they tell is in the manifest of the backup, and in the memory of whoever reads that. */
const mostRowsBytes = 4_194_304;
/** The name of an archive, and where its tablespace is. */
const mostNameBytes = 8_192;
/** What a server may send while it gives a backup. */
const messageTypes = 'TDCHcENSAZ';
/** The rows before the archives tell where the backup begins and what it has; the row after them, where it ends. */
type Stage = 'begins' | 'copies' | 'ends';

export class BaseBackup implements Submittable, CopySink {
  private readonly start = outcome<BackupStart>();
  private readonly endLsn = outcome<string>();
  private readonly archives = new Archives({
    pause: () => this.hold(true),
    resume: () => this.hold(false),
    abandoned: () => this.abort(new EngineFault('cancelled', 'The backup was given up by its reader.')),
  });
  private readonly messages = new CopyStream(this);
  private rows: (string | null)[][] = [];
  private rowsBytes = 0;
  private stage: Stage = 'begins';
  private readonly names = new Set<string>();
  /** What the current CopyData message is: `n` a new archive, `d` data, `m` the manifest begins, `p` progress. */
  private kind: string | undefined;
  private archiveName: Buffer[] = [];
  private archiveNameBytes = 0;
  private isComplete = false;
  private failure: Error | undefined;
  private isExplaining = false;
  private isReleased = false;
  private startLsn: string | undefined;
  private socket: Duplex | undefined;
  private parser: ((chunk: Buffer) => void) | undefined;

  constructor(private readonly options: BaseBackupOptions) {}

  /** Resolves when the server begins to send. */
  get begun(): Promise<BackupStart> {
    return this.start.promise;
  }

  /** Resolves with the end LSN when the server has said that the backup is good. */
  get ended(): Promise<string> {
    return this.endLsn.promise;
  }

  /** The archives and then the server's manifest. Each is read to its end before the next. */
  get objects(): Archives['objects'] {
    return this.archives.objects;
  }

  /** Ends the backup from our side. The server notices and cleans up. */
  abort(error: Error): void {
    this.fail(error);
    this.socket?.destroy();
  }

  // What `pg` calls of a query.

  submit(connection: Connection): void {
    const socket: Duplex = connection.stream;
    const [parser, ...others] = socket.listeners('data');
    if (!parser || others.length > 0) {
      throw new EngineFault('protocol-violation', 'The installed pg reads its socket in a way that is not known here.');
    }
    this.socket = socket;
    this.parser = parser as (chunk: Buffer) => void;
    socket.off('data', this.parser);
    socket.on('data', this.take);
    socket.once('close', this.connectionClosed);
    this.options.connection.silence.within(this.options.patience.beginMs, silent);
    // WAIT false: the archive has the WAL that it needs, so the server's own archiver need not work.
    // Without TABLESPACE_MAP the archive has links, which a restore makes anew. Older versions of Strongroom know no other way.
    const label = this.options.label.replaceAll("'", "''");
    const incremental = this.options.isIncremental ? ', INCREMENTAL' : '';
    const map = this.options.mapsTablespaces ? ', TABLESPACE_MAP' : '';
    connection.query(
      `BASE_BACKUP (LABEL '${label}', PROGRESS, CHECKPOINT 'fast', WAL, WAIT false, MANIFEST 'yes', MANIFEST_CHECKSUMS 'SHA256'${map}${incremental})`,
    );
  }

  handleError(error: Error): void {
    this.end(this.options.connection.faultOf(error));
  }

  handleReadyForQuery(): void {}

  // What the socket gives.

  private readonly take = (chunk: Buffer): void => {
    try {
      this.messages.take(chunk);
    } catch (error) {
      this.abort(error instanceof EngineFault ? error : violation(messageOf(error)));
    }
  };

  private readonly connectionClosed = (): void => {
    const { silenceFault, tried } = this.options.connection;
    const broken = new EngineFault(
      'server-unreachable',
      ['The connection broke while the server sent the backup, and the server said nothing of it.', tried].join(' '),
    );
    this.end(silenceFault ?? broken);
  };

  private hold(isHeld: boolean): void {
    // The archives may be read when the connection has long been handed back.
    if (this.isReleased) return;
    const { connection, patience } = this.options;
    const { silence } = connection;
    // After the last archive the server has a time for its end, which nobody's reading makes longer.
    if (this.stage === 'ends') silence.within(patience.stallMs, silent);
    else if (isHeld) silence.set(patience.heldMs, untaken);
    else silence.set(patience.stallMs, silent);
    if (isHeld) this.socket?.pause();
    else this.socket?.resume();
  }

  /** Gives the socket back to `pg`, with the message that says that the server is ready. */
  private handBack(ready: Buffer): void {
    const { socket, parser } = this;
    this.release();
    if (!socket || !parser) return;
    socket.on('data', parser);
    const header = Buffer.from([0x5a, 0, 0, 0, 0]);
    header.writeInt32BE(ready.length + 4, 1);
    parser.call(socket, Buffer.concat([header, ready]));
  }

  private release(): void {
    this.isReleased = true;
    this.options.connection.isSending = false;
    this.options.connection.silence.lift();
    this.socket?.off('data', this.take);
    this.socket?.off('close', this.connectionClosed);
  }

  // What the messages say.

  message(type: string, body: Buffer): void {
    if (!messageTypes.includes(type)) throw new RangeError(`a message of type ${JSON.stringify(type)}`);
    switch (type) {
      case 'D':
        this.addRow(body);
        return;
      case 'H':
        this.beginCopy();
        return;
      case 'c':
        this.endCopies();
        return;
      case 'C':
        if (body.toString('latin1').startsWith('BASE_BACKUP')) this.isComplete = true;
        return;
      case 'E': {
        const { C: code = '', M: message = '', V: severity, D: detail, H: hint, W: where } = errorFields(body);
        const error = Object.assign(new Error(message), { code, severity, detail, hint, where });
        this.end(this.options.connection.faultOf(error));
        return;
      }
      case 'N': {
        const { V: severity = 'NOTICE', M: message = '', D: detail, H: hint } = errorFields(body);
        this.options.connection.notices.add({ severity, message, detail, hint });
        return;
      }
      case 'Z':
        this.finish();
        this.handBack(body);
    }
  }

  private addRow(body: Buffer): void {
    const mostRows = this.stage === 'begins' ? mostSpaces + 2 : 1;
    if (this.rows.length >= mostRows) throw new RangeError(`more than ${mostRows} rows`);
    if (body.length > mostRowBytes) throw new RangeError(`a row of ${body.length} bytes`);
    this.rowsBytes += body.length;
    if (this.rowsBytes > mostRowsBytes) throw new RangeError(`rows of more than ${mostRowsBytes} bytes`);
    this.rows.push(rowValues(body));
  }

  private beginCopy(): void {
    if (this.stage !== 'begins') throw new RangeError('it begins a second time');
    const [first, ...others] = this.rows;
    this.rows = [];
    if (!first) throw new RangeError('it did not say where the backup starts');
    const [startLsn, timeline] = said.parsed(backupStart, first, 'BASE_BACKUP');
    const spaces = others.map((row) => said.parsed(sizedSpace, row, 'BASE_BACKUP'));
    this.stage = 'copies';
    this.options.connection.silence.set(this.options.patience.stallMs, silent);
    this.startLsn = startLsn;
    this.options.connection.isSending = true;
    const kilobytes = spaces.map(([, , size]) => size);
    this.start.resolve({
      startLsn,
      timeline,
      tablespaces: spaces.flatMap(([oid, location]) => (oid === null ? [] : [{ oid: String(oid), location }])),
      estimatedBytes: kilobytes.some((size) => size === null)
        ? null
        : kilobytes.reduce<number>((sum, size) => sum + (size ?? 0) * 1_024, 0),
    });
  }

  private endCopies(): void {
    if (this.stage !== 'copies') throw new RangeError('it ends archives that it has not begun');
    this.stage = 'ends';
    this.archives.end();
    this.options.connection.silence.within(this.options.patience.stallMs, silent);
  }

  copyKind(kind: string): void {
    if (this.failure) return;
    if (this.stage !== 'copies') throw new RangeError('an archive where there is none');
    if (!'ndmp'.includes(kind)) throw new RangeError(`a part of kind ${JSON.stringify(kind)}`);
    this.kind = kind;
    this.archiveName = [];
    this.archiveNameBytes = 0;
    if (kind === 'm') this.begin(manifestName);
  }

  /** A second object with a name that was there would overwrite the first, or be none. */
  private begin(name: string): void {
    if (this.names.has(name)) throw new RangeError(`two archives with the name ${name}`);
    if (this.names.size > mostSpaces + 1) throw new RangeError(`more than ${this.names.size} archives`);
    this.names.add(name);
    this.archives.begin(name);
  }

  copyPart(part: Buffer): void {
    if (this.failure) return;
    if (this.kind === 'n') {
      this.archiveNameBytes += part.length;
      if (this.archiveNameBytes > mostNameBytes) throw new RangeError(`a name of more than ${mostNameBytes} bytes`);
      this.archiveName.push(part);
    } else if (this.kind === 'd') this.archives.add(part);
  }

  copyMessageEnd(): void {
    if (this.kind === 'n' && !this.failure) {
      const [name = ''] = Buffer.concat(this.archiveName).toString('utf8').split('\0');
      this.begin(said.parsed(said.archiveName, name, 'BASE_BACKUP'));
    }
    this.kind = undefined;
  }

  // How it ends.

  private finish(): void {
    if (this.failure) return;
    const [last] = this.stage === 'ends' ? this.rows : [];
    if (!this.isComplete || !last || this.startLsn === undefined) {
      this.fail(violation('it ended the backup without saying that it is good'));
      return;
    }
    const [endLsn] = said.parsed(backupEnd, last, 'BASE_BACKUP');
    if (compareLsn(endLsn, this.startLsn) < 0) throw new RangeError(`an end at ${endLsn}, before its beginning`);
    this.endLsn.resolve(endLsn);
  }

  /** The server has ended it. Readers get the reason, which may have to be asked for on another connection. */
  private end(fault: EngineFault): void {
    if (this.failure || this.isExplaining) return;
    if (fault.code !== 'server-unreachable' || this.startLsn === undefined) {
      this.fail(fault);
      return;
    }
    this.isExplaining = true;
    this.options.connection.silence.lift();
    void this.options.explain(fault, this.startLsn).then((explained) => this.fail(explained));
  }

  private fail(error: Error): void {
    if (this.failure) return;
    this.failure = error;
    this.start.reject(error);
    this.endLsn.reject(error);
    this.archives.fail(error);
  }
}

function silent(seconds: number): EngineFault {
  return new EngineFault(
    'server-stalled',
    `The server sent nothing for ${seconds} s; the backup is given up. See whether the server or the network hangs.`,
  );
}

function untaken(seconds: number): EngineFault {
  return new EngineFault(
    'reader-stalled',
    `Nothing took the server's bytes for ${seconds} s; the backup is given up, so that the server need not keep its WAL for it any longer. See whether the vault hangs.`,
  );
}

function violation(what: string): EngineFault {
  return new EngineFault('protocol-violation', `What the server sent is no backup of PostgreSQL: ${what}.`);
}
