/**
 * Where the audit is written besides: lines of JSON in a file, or messages of syslog (RFC 5424, over TCP with the lengths of RFC 6587).
 * A line that was written is on the disk, or with the system that syslog is sent to.
 */
import { type FileHandle, open } from 'node:fs/promises';
import { connect } from 'node:net';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import type { AuditExportName } from '@strongroom/ledger';

export interface AuditSink {
  readonly name: AuditExportName;
  /** Writes all the lines, or throws. A line may have been written all the same. */
  write(lines: readonly AuditLine[]): Promise<void>;
}

export interface AuditLine {
  /** ISO 8601, UTC. */
  at: string;
  json: string;
}

const longestMs = 5_000;
/** The facility "log audit" and the severity "notice". */
const priority = 13 * 8 + 5;

/**
 * The file is opened anew each time: a file that was renamed is followed by a new one of the old name. What could not be written as a
 * whole, as on a full disk, is taken back: it is written again later.
 */
export class AuditFile implements AuditSink {
  readonly name = 'file';

  constructor(private readonly path: string) {}

  async write(lines: readonly AuditLine[]): Promise<void> {
    const file = await open(this.path, 'a+', 0o640);
    try {
      const stat = await file.stat();
      const isFile = stat.isFile();
      const last = isFile && stat.size > 0 ? await lastByte(file, stat.size) : '\n';
      // A process may have died in the middle of a line.
      const end = last === '\n' ? '' : '\n';
      try {
        await file.appendFile(`${end}${lines.map(({ json }) => `${json}\n`).join('')}`);
        if (isFile) await file.sync();
      } catch (error) {
        if (isFile) await file.truncate(stat.size);
        throw error;
      }
      if (isFile && stat.size === 0) await syncFolder(dirname(this.path));
    } finally {
      await file.close();
    }
  }
}

async function lastByte(file: FileHandle, size: number): Promise<string> {
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, size - 1);
  return buffer.toString('latin1');
}

/** A new file is there after a power failure only when its folder is on the disk. Some file systems can't say that. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && cannotSync.includes(String(error.code)))) throw error;
  } finally {
    await folder.close();
  }
}

const cannotSync = ['EINVAL', 'ENOTSUP', 'EISDIR', 'EPERM', 'EBADF'];

export class AuditSyslog implements AuditSink {
  readonly name = 'syslog';

  constructor(private readonly to: { host: string; port: number }) {}

  async write(lines: readonly AuditLine[]): Promise<void> {
    const text = lines.map(({ at, json }) =>
      framed(`<${priority}>1 ${at} ${hostname()} strongroom ${process.pid} audit - ${json}`),
    );
    await new Promise<void>((resolve, reject) => {
      const socket = connect(this.to.port, this.to.host);
      socket.setTimeout(longestMs, () =>
        socket.destroy(new Error(`syslog at ${this.to.host} does not take the audit`)),
      );
      socket.on('error', reject);
      socket.on('connect', () => socket.end(text.join('')));
      socket.on('finish', () => resolve());
      socket.on('close', () => resolve());
      socket.resume();
    });
  }
}

function framed(message: string): string {
  return `${Buffer.byteLength(message)} ${message}`;
}
