/**
 * Takes backups in processes of their own, one for each. What a stranger's server says is parsed there: a loop, or more memory than
 * is allowed, ends that process and that attempt, and nothing else. The process gets the target and an empty environment, and
 * ends with the process that has started it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { type DatastoreType, messageOf } from '@strongroom/contracts';
import type { BackupOptions, Engine, EngineBackup, EngineObject, EngineResult, EngineTarget } from '../engine.js';
import { EngineFault } from '../engine-fault.js';
import { outcome } from '../outcome.js';
import { type Frame, FrameWriter, readFrames } from './frames.js';
import { begun, faultFromText, mostBytes, objectName, result, types } from './messages.js';

export interface ApartOptions {
  /** How much memory a process may take, in bytes. */
  memoryBytes: number;
  /** How long it may do nothing but compute, in milliseconds. Default: a minute. */
  stuckMs?: number;
  /** The program and what comes before its own arguments. Default: the one beside this file. */
  program?: readonly string[];
}

const usualStuckMs = 60_000;
const mebibyte = 1_048_576;
/** The rest is for what lies outside of the heap: buffers, above all. */
const shareOfHeap = 0.6;
const mostOfWords = 4_096;
/** Where names and certificates are looked up stays as it is for the owner. */
const passedOn = ['NODE_EXTRA_CA_CERTS', 'SSL_CERT_FILE', 'SSL_CERT_DIR'];

const living = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of living) child.kill('SIGKILL');
});

export class EnginesApart {
  constructor(private readonly options: ApartOptions) {}

  of(datastoreType: DatastoreType): Pick<Engine, 'backup'> {
    return {
      backup: (target, options) => new BackupApart(this.options, options).begin(datastoreType, target),
    };
  }
}

class BackupApart {
  private readonly child: ChildProcess;
  private readonly input: FrameWriter;
  private readonly data: Readable;
  private readonly begun = outcome<{ estimatedBytes: number | null }>();
  private readonly result = outcome<EngineResult>();
  private readonly failed = outcome<Error>();
  /** Why an object of the parent could not be read. The process can't carry it. */
  private unreadable: unknown;
  private words = '';

  constructor(
    private readonly options: ApartOptions,
    private readonly asked: BackupOptions,
  ) {
    const { memoryBytes, stuckMs = usualStuckMs, program = [join(import.meta.dirname, 'engine-process.js')] } = options;
    const heap = `--max-old-space-size=${Math.floor((memoryBytes * shareOfHeap) / mebibyte)}`;
    const limits = [process.pid, memoryBytes, stuckMs].map(String);
    this.child = spawn(process.execPath, [heap, ...program, ...limits], {
      cwd: '/',
      env: environment(),
      stdio: ['pipe', 'ignore', 'pipe', 'pipe', 'pipe'],
    });
    const [stdin, , stderr, messages, data] = this.child.stdio;
    this.input = new FrameWriter(stdin as NonNullable<typeof stdin>);
    this.data = data as Readable;
    this.data.on('error', () => {});
    stderr?.on('data', (chunk: Buffer) => {
      this.words = `${this.words}${chunk.toString('utf8')}`.slice(-mostOfWords);
    });
    living.add(this.child);
    const exited = new Promise<string>((resolve) => {
      this.child.once('error', (error) => resolve(`it could not be run: ${error.message}`));
      this.child.once('exit', (code, by) => resolve(by ? `it was ended by ${by}` : `it ended with code ${code}`));
    });
    void exited.then(() => living.delete(this.child));
    void this.listen(messages as Readable, exited);
    const stop = () => this.fail(new EngineFault('cancelled', 'The backup was cancelled.'));
    asked.signal.addEventListener('abort', stop, { once: true });
    void exited.then(() => asked.signal.removeEventListener('abort', stop));
    if (asked.signal.aborted) stop();
  }

  async begin(datastoreType: DatastoreType, target: EngineTarget): Promise<EngineBackup> {
    const { backupId, parent } = this.asked;
    await this.input.write(
      types.job,
      JSON.stringify({ datastoreType, target, backupId, parent: parent?.manifest ?? null }),
    );
    const { estimatedBytes } = await this.begun.promise;
    return { objects: this.objects(), estimatedBytes, result: this.result.promise };
  }

  private async listen(messages: Readable, exited: Promise<string>): Promise<void> {
    try {
      for await (const { type, payload } of readFrames(messages, mostBytes.message)) {
        const text = payload.toString('utf8');
        if (type === types.begun) this.begun.resolve(begun.parse(JSON.parse(text)));
        else if (type === types.result) this.result.resolve(result.parse(JSON.parse(text)));
        else if (type === types.fault) this.fail(faultFromText(text, this.unreadable));
        else if (type === types.object) void this.give(objectName.parse(text));
      }
      // Only what was not told before counts.
      this.fail(this.whyEnded(await exited));
    } catch (error) {
      this.fail(ended('what it told is of no known form', error));
    }
  }

  /** Gives the process an object of the parent. */
  private async give(name: string): Promise<void> {
    try {
      if (!this.asked.parent) throw new Error('there is no parent');
      for await (const chunk of this.asked.parent.open(name)) await this.input.write(types.data, chunk as Buffer);
      await this.input.write(types.objectEnd);
    } catch (error) {
      this.unreadable = error;
      await this.input.write(types.unreadable, messageOf(error));
    }
  }

  private async *objects(): AsyncGenerator<EngineObject> {
    const frames = readFrames(this.data, mostBytes.data);
    for (;;) {
      const { type, payload } = await this.next(frames);
      if (type === types.allObjects) return;
      if (type !== types.object) throw ended('what it gave is of no known form');
      let isRead = false;
      const end = (isAll: boolean) => {
        isRead = isAll;
      };
      yield { name: objectName.parse(payload.toString('utf8')), source: this.content(frames, end) };
      if (!isRead) throw this.givenUp();
    }
  }

  private async *content(frames: AsyncGenerator<Frame>, end: (isAll: boolean) => void): AsyncGenerator<Buffer> {
    let isAll = false;
    try {
      for (;;) {
        const { type, payload } = await this.next(frames);
        isAll = type === types.objectEnd;
        if (isAll) return;
        if (type !== types.data) throw ended('what it gave is of no known form');
        yield payload;
      }
    } finally {
      end(isAll);
      if (!isAll) this.givenUp();
    }
  }

  /** @throws the fault, when the process has ended */
  private async next(frames: AsyncGenerator<Frame>): Promise<Frame> {
    const next = await frames.next().catch(() => undefined);
    if (next?.value) return next.value;
    throw await this.failed.promise;
  }

  private givenUp(): EngineFault {
    const fault = new EngineFault('cancelled', 'The backup was given up by its reader.');
    this.fail(fault);
    return fault;
  }

  /** Ends the process. What was told first counts. */
  private fail(error: Error): void {
    this.failed.resolve(error);
    this.begun.reject(error);
    this.result.reject(error);
    this.child.kill('SIGKILL');
    this.data.destroy();
  }

  private whyEnded(how: string): EngineFault {
    const [, limit] = /strongroom-limit (\w+)/.exec(this.words) ?? [];
    if (limit === 'memory' || /heap out of memory/.test(this.words)) {
      return new EngineFault(
        'backup-limit-reached',
        `The backup needed more than ${Math.round(this.options.memoryBytes / mebibyte)} MiB of memory, which is the most that one may take (STRONGROOM_ENGINE_MEMORY_MIB).`,
      );
    }
    if (limit === 'stuck') return ended('it did nothing but compute for too long');
    return ended(how, this.words === '' ? undefined : new Error(this.words));
  }
}

function ended(how: string, cause?: unknown): EngineFault {
  return new EngineFault(
    'engine-process-ended',
    `The process that took the backup ended before it was done: ${how}. See the log of the scheduler.`,
    { cause },
  );
}

function environment(): NodeJS.ProcessEnv {
  const kept = passedOn.flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value]];
  });
  return { PATH: '/usr/local/bin:/usr/bin:/bin', LANG: 'C', TZ: 'UTC', ...Object.fromEntries(kept) };
}
