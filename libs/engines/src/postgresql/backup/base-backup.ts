/**
 * The BASE_BACKUP command as a query of `pg`. While it runs it reads the socket itself: `pg` has no result that is a stream
 * of archives, and its parser gives out views of a buffer that it uses again. It hands the socket back when the server is
 * ready for the next query. This depends on internals of `pg`, whose version is pinned for that reason.
 * Source: PostgreSQL documentation, "Streaming Replication Protocol", BASE_BACKUP.
 */
import type { Duplex } from 'node:stream';
import { messageOf } from '@strongroom/contracts';
import type { Connection, Submittable } from 'pg';
import { EngineFault } from '../../engine-fault.js';
import type { ServerConnection } from '../connection.js';
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

export class BaseBackup implements Submittable, CopySink {
  private readonly start = outcome<BackupStart>();
  private readonly endLsn = outcome<string>();
  private readonly archives = new Archives({
    pause: () => this.hold(true),
    resume: () => this.hold(false),
    abandoned: () => this.abort(new EngineFault('cancelled', 'The backup was given up by its reader.')),
  });
  private readonly messages = new CopyStream(this);
  private readonly rows: (string | null)[][] = [];
  /** What the current CopyData message is: `n` a new archive, `d` data, `m` the manifest begins, `p` progress. */
  private kind: string | undefined;
  private archiveName: Buffer[] = [];
  private isComplete = false;
  private failure: Error | undefined;
  private isExplaining = false;
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
    this.options.connection.silence.set(this.options.patience.beginMs, silent);
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
      this.abort(violation(messageOf(error)));
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
    const { connection, patience } = this.options;
    const { silence } = connection;
    if (isHeld) silence.set(patience.heldMs, untaken);
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
    this.options.connection.isSending = false;
    this.options.connection.silence.lift();
    this.socket?.off('data', this.take);
    this.socket?.off('close', this.connectionClosed);
  }

  // What the messages say.

  message(type: string, body: Buffer): void {
    switch (type) {
      case 'D':
        this.rows.push(rowValues(body));
        return;
      case 'H':
        this.beginCopy();
        return;
      case 'c':
        this.archives.end();
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

  private beginCopy(): void {
    const [[startLsn, timeline] = [], ...spaces] = this.rows.splice(0);
    if (!startLsn || !timeline) throw new RangeError('it did not say where the backup starts');
    this.options.connection.silence.set(this.options.patience.stallMs, silent);
    this.startLsn = startLsn;
    this.options.connection.isSending = true;
    const kilobytes = spaces.map(([, , size]) => size);
    this.start.resolve({
      startLsn,
      timeline: Number(timeline),
      tablespaces: spaces.flatMap(([oid, location]) => (oid && location ? [{ oid, location }] : [])),
      estimatedBytes: kilobytes.some((size) => size == null)
        ? null
        : kilobytes.reduce((sum, size) => sum + Number(size) * 1_024, 0),
    });
  }

  copyKind(kind: string): void {
    if (this.failure) return;
    if (!'ndmp'.includes(kind)) throw new RangeError(`a part of kind ${JSON.stringify(kind)}`);
    this.kind = kind;
    this.archiveName = [];
    if (kind === 'm') this.archives.begin(manifestName);
  }

  copyPart(part: Buffer): void {
    if (this.failure) return;
    if (this.kind === 'n') this.archiveName.push(part);
    else if (this.kind === 'd') this.archives.add(part);
  }

  copyMessageEnd(): void {
    if (this.kind === 'n' && !this.failure) {
      const [name = ''] = Buffer.concat(this.archiveName).toString('utf8').split('\0');
      this.archives.begin(name);
    }
    this.kind = undefined;
  }

  // How it ends.

  private finish(): void {
    const endLsn = this.rows.at(-1)?.[0];
    if (this.failure) return;
    if (this.isComplete && endLsn) this.endLsn.resolve(endLsn);
    else this.fail(violation('it ended the backup without saying that it is good'));
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

/**
 * A promise that is settled later. The code that awaits it gets the failure. When nothing awaits it, the failure must not end
 * the process.
 */
function outcome<T>(): { promise: Promise<T>; resolve(value: T): void; reject(error: Error): void } {
  let resolve: (value: T) => void = () => {};
  let reject: (error: Error) => void = () => {};
  const promise = new Promise<T>((onValue, onError) => {
    resolve = onValue;
    reject = onError;
  });
  promise.catch(() => {});
  return { promise, resolve, reject };
}
