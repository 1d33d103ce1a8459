/**
 * A process of an engine, as its owner sees it. It gets one job and an empty environment, may ask for the objects of the backups
 * that it was given, and is ended by whatever goes wrong. It ends with the process that has started it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { getFips } from 'node:crypto';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { EngineFault } from '../engine-fault.js';
import type { OpenedBackup } from '../open-backup.js';
import { outcome } from '../outcome.js';
import { canRunEngines, type EngineUser } from './engine-user.js';
import { FrameWriter, readFrames } from './frames.js';
import { aliveMs, askedObject, endSignal, faultAsText, faultFromText, type Job, mostBytes, types } from './messages.js';

export interface ApartOptions {
  /** How much memory a process may take, in bytes. */
  memoryBytes: number;
  /** How long it may do nothing but compute, in milliseconds. Default: a minute. */
  stuckMs?: number;
  /** How long a restore may take, in milliseconds. Default: as long as it needs. */
  longestRestoreMs?: number;
  /** How many restores run at a time; the others wait. Default: 2. */
  mostRestores?: number;
  /** The user of the operating system who takes backups. Only root may name one. Default: that of this process. */
  user?: EngineUser | undefined;
  /** The program and what comes before its own arguments. Default: the one beside this file. */
  program?: readonly string[];
}

export function programOf({ program }: ApartOptions): readonly string[] {
  return program ?? [join(import.meta.dirname, 'engine-process.js')];
}

export interface ChildWork {
  /** As the subject of a sentence. */
  what: 'backup' | 'restore';
  /** The user of the operating system that it has, if that one can run the program. */
  user: EngineUser | undefined;
  /** The backups whose objects it may ask for. */
  given: readonly OpenedBackup[];
  /** Ends the process. */
  signal: AbortSignal | undefined;
  /** How long it may take to remove what it has made, when it is told to end, in milliseconds. Default: no time. */
  graceMs?: number;
  /** Takes what is told besides faults, and what is asked for. @throws when it is of no known form */
  told(type: string, text: string): void;
}

const usualStuckMs = 60_000;
/** A process that was stopped says nothing. It gets longer than its own watchdog takes to tell what the matter is. */
const spareSilenceMs = 5_000;
const mebibyte = 1_048_576;
/** The rest is for what lies outside of the heap: buffers, above all. */
const shareOfHeap = 0.6;
/** V8 would look through a heap as small as this one for each 14 MB of buffers. It waits until old objects and buffers have this share of the heap. */
const shareOfOld = 0.5;
const mostOfWords = 4_096;
/** Where certificates are looked up, and what OpenSSL loads, stays as it is for the owner. */
const passedOn = ['NODE_EXTRA_CA_CERTS', 'SSL_CERT_FILE', 'SSL_CERT_DIR', 'OPENSSL_CONF', 'OPENSSL_MODULES'];

const living = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of living) child.kill('SIGKILL');
});

export class EngineChild {
  /** The objects of a backup, as frames. */
  readonly data: Readable;
  /** Resolves when the process is gone, with how it ended. */
  readonly exited: Promise<string>;
  private readonly child: ChildProcess;
  private readonly input: FrameWriter;
  private readonly failure = outcome<Error>();
  private readonly stuckMs: number;
  /** Why an object could not be read. The process can't carry all of it. */
  private unreadable: unknown;
  /** Set when the process was told to end. Whatever it says after that comes of it. */
  private cancelled: EngineFault | undefined;
  private words = '';
  private hasEnough = false;
  private silentMs = 0;

  constructor(
    private readonly options: ApartOptions,
    private readonly work: ChildWork,
  ) {
    const { memoryBytes, stuckMs = usualStuckMs } = options;
    const program = programOf(options);
    const { user } = work;
    this.stuckMs = stuckMs;
    const heapMiB = Math.floor((memoryBytes * shareOfHeap) / mebibyte);
    const heap = [`--max-old-space-size=${heapMiB}`, `--initial-old-space-size=${Math.floor(heapMiB * shareOfOld)}`];
    const limits = [process.pid, memoryBytes, stuckMs].map(String);
    const { options: mode, env } = asForOwner(process.env, getFips() === 1);
    this.child = spawn(process.execPath, [...mode, ...heap, ...program, ...limits], {
      cwd: '/',
      env,
      stdio: ['pipe', 'ignore', 'pipe', 'pipe', 'pipe'],
      ...(user && canRunEngines(user, program) && { uid: user.uid, gid: user.gid }),
    });
    this.exited = new Promise((resolve) => {
      this.child.once('error', (error) => {
        // It names the program, which is for the log alone.
        this.words = error.message;
        resolve('it could not be run');
      });
      this.child.once('exit', (code, by) => resolve(by ? `it was ended by ${by}` : `it ended with code ${code}`));
    });
    const [stdin, , stderr, messages, data] = this.child.stdio;
    this.input = new FrameWriter(stdin as NonNullable<typeof stdin>);
    this.data = data as Readable;
    // Node lets what is in a pipe run out when its process ends, unless somebody listens.
    this.data.on('error', () => {}).on('readable', () => {});
    stderr?.on('data', (chunk: Buffer) => {
      this.words = `${this.words}${chunk.toString('utf8')}`.slice(-mostOfWords);
    });
    living.add(this.child);
    this.watch();
    void this.listen(messages as Readable);
  }

  /** Resolves with the fault when the work has failed, or when its process has ended. What was told first counts. */
  get failed(): Promise<Error> {
    return this.failure.promise;
  }

  /** @throws {EngineFault} when it is more than a process takes */
  async begin(job: Job): Promise<void> {
    const text = JSON.stringify(job);
    if (text.length > mostBytes.message / 2) {
      const why = `The ${this.work.what} is of too many backups, or their manifests are too long: ${text.length} bytes.`;
      throw this.fail(new EngineFault('backup-content-invalid', why));
    }
    await this.input.write(types.job, text);
  }

  /** Ends the process. */
  fail<E extends Error>(error: E): E {
    this.failure.resolve(error);
    this.child.kill('SIGKILL');
    this.data.destroy();
    return error;
  }

  /** Ends the process, whose work is done or has failed. Nothing that it gave is read any more. */
  end(): void {
    this.child.kill('SIGKILL');
    this.data.destroy();
  }

  ended(how: string, cause?: unknown): EngineFault {
    return new EngineFault(
      'engine-process-ended',
      `The process of the ${this.work.what} ended before it was done: ${how}.`,
      { cause },
    );
  }

  /** Ends the process when it is not wanted any more, and when it has said nothing for too long. */
  private watch(): void {
    const { signal } = this.work;
    const stop = () => this.cancel();
    const look = setInterval(() => {
      // Looks are counted, and not the time: a host that sleeps says nothing about the process.
      this.silentMs += aliveMs;
      if (this.silentMs <= this.stuckMs + spareSilenceMs) return;
      this.fail(this.ended(`it gave no sign of life for ${this.silentMs / 1_000} s`));
    }, aliveMs);
    void this.exited.then(() => {
      living.delete(this.child);
      clearInterval(look);
    });
    // What the process has given may be read for longer than it lives.
    this.data.once('close', () => signal?.removeEventListener('abort', stop));
    signal?.addEventListener('abort', stop, { once: true });
    if (signal?.aborted) stop();
  }

  private cancel(): void {
    const { what, graceMs } = this.work;
    this.cancelled ??= new EngineFault('cancelled', `The ${what} was cancelled.`);
    if (graceMs === undefined) {
      this.fail(this.cancelled);
      return;
    }
    const { cancelled } = this;
    this.child.kill(endSignal);
    const timer = setTimeout(() => this.fail(cancelled), graceMs);
    void this.exited.then(() => clearTimeout(timer));
  }

  private async listen(messages: Readable): Promise<void> {
    try {
      for await (const { type, payload } of readFrames(messages, mostBytes.message)) {
        this.silentMs = 0;
        if (type === types.alive) continue;
        const text = payload.toString('utf8');
        if (type === types.fault) this.fail(this.cancelled ?? faultFromText(text, this.unreadable));
        else if (type === types.enough) this.hasEnough = true;
        else if (type === types.object) void this.give(text);
        else this.work.told(type, text);
      }
      // What was told before counts, and what was given before is still read.
      this.failure.resolve(this.cancelled ?? this.whyEnded(await this.exited));
    } catch (error) {
      this.fail(this.ended('what it told is of no known form', error));
    }
  }

  /** Gives the process an object of a backup as the vault has it. It asks for one at a time. */
  private async give(text: string): Promise<void> {
    this.hasEnough = false;
    try {
      const { backup, name } = askedObject.parse(JSON.parse(text));
      const opened = this.work.given[backup];
      if (!opened?.manifest.objects.some((object) => object.name === name)) throw new Error(`there is no ${name}`);
      for await (const chunk of opened.stored(name)) {
        if (this.hasEnough || this.input.isClosed) break;
        if (!Buffer.isBuffer(chunk)) throw new TypeError('a vault gave no bytes');
        await this.input.write(types.data, chunk);
      }
      await this.input.write(types.objectEnd);
    } catch (error) {
      this.unreadable = error;
      await this.input.write(types.unreadable, faultAsText(error));
    }
  }

  private whyEnded(how: string): EngineFault {
    const { what } = this.work;
    const [, limit] = /strongroom-limit (\w+)/.exec(this.words) ?? [];
    if (limit === 'memory' || /heap out of memory/.test(this.words)) {
      return new EngineFault(
        'backup-limit-reached',
        `The ${what} needed more than ${Math.round(this.options.memoryBytes / mebibyte)} MiB of memory, which is the most that one may take (STRONGROOM_ENGINE_MEMORY_MIB).`,
      );
    }
    if (limit === 'stuck') return this.ended('it did nothing but compute for too long');
    return this.ended(how, this.words === '' ? undefined : new Error(this.words));
  }
}

/** What the process has of its owner's environment. With algorithms of FIPS 140 alone it does not start where its OpenSSL lacks their module. */
export function asForOwner(
  given: Readonly<NodeJS.ProcessEnv>,
  isFipsAlone: boolean,
): { options: string[]; env: NodeJS.ProcessEnv } {
  const kept = passedOn.flatMap((name) => {
    const value = given[name];
    return value === undefined ? [] : [[name, value]];
  });
  const env = { PATH: '/usr/local/bin:/usr/bin:/bin', LANG: 'C', TZ: 'UTC', ...Object.fromEntries(kept) };
  return { options: isFipsAlone ? ['--enable-fips'] : [], env };
}
