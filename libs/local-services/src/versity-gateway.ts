/** A Versity S3 Gateway as a child process: an S3 server over a folder, in which each folder is a bucket. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import {
  ChildService,
  calledOff,
  endProcess,
  identityOf,
  lastLines,
  Movement,
  ServiceFault,
} from '@strongroom/server-processes';

export interface VersityOptions {
  /** The program's file, from `findGoProgram`. */
  program: string;
  /** The folder with the data, which stays between starts. */
  directory: string;
  port: number;
  /** The keys of its only user. */
  keys: { accessKeyId: string; secretAccessKey: string };
  /** Buckets that are made when they are not there. */
  buckets: readonly string[];
  logFile: string;
  /** Whether a Ctrl-C on the terminal does not reach it. Then the process that started it stops it. */
  ownSession?: boolean;
  /** Ends the start when it is aborted. */
  signal?: AbortSignal;
}

/** The region that its requests are signed for. */
export const versityRegion = 'us-east-1';
const stopMs = 10_000;
const lookMs = 50;
const askMs = 2_000;

export class VersityGateway {
  private constructor(
    private readonly service: ChildService,
    private readonly options: VersityOptions,
  ) {}

  /** Returns when it answers. @throws {ServiceFault} with the end of the log */
  static async start(options: VersityOptions): Promise<VersityGateway> {
    const { program, directory, port, keys, buckets, logFile, ownSession, signal } = options;
    await VersityGateway.endLeftover(directory);
    for (const bucket of buckets) mkdirSync(join(directory, 'buckets', bucket), { recursive: true });
    if (signal?.aborted) throw calledOff('Versity S3 Gateway');
    const service = ChildService.start({
      program,
      args: ['--quiet', '--keep-alive', '--port', `127.0.0.1:${port}`, 'posix', join(directory, 'buckets')],
      // Arguments can be seen by every user of the machine.
      env: {
        PATH: process.env.PATH,
        ROOT_ACCESS_KEY_ID: keys.accessKeyId,
        ROOT_SECRET_ACCESS_KEY: keys.secretAccessKey,
        VGW_REGION: versityRegion,
      },
      logFile,
      stopSignal: 'SIGTERM',
      ownSession,
    });
    writeFileSync(pidFile(directory), identityOf(service.pid) ?? '');
    const gateway = new VersityGateway(service, options);
    try {
      await gateway.answers();
      return gateway;
    } catch (error) {
      await service.kill();
      throw error;
    }
  }

  /** Stops a gateway that an earlier process left running on the folder; its port is free then. */
  static async endLeftover(directory: string): Promise<void> {
    const file = pidFile(directory);
    if (!existsSync(file)) return;
    const what = `Versity S3 Gateway on ${directory}`;
    await endProcess(readFileSync(file, 'utf8'), { what, signal: 'SIGTERM', graceMs: stopMs });
  }

  get pid(): number {
    return this.service.pid;
  }

  /** Settles when the process has ended, and tells how it ended. */
  get ended(): Promise<string> {
    return this.service.ended;
  }

  get url(): string {
    return `http://127.0.0.1:${this.options.port}`;
  }

  stop(): Promise<void> {
    return this.service.stop(stopMs);
  }

  /** Ends the process as a power cut would. */
  kill(): Promise<void> {
    return this.service.kill();
  }

  private async answers(): Promise<void> {
    const { directory, logFile, signal } = this.options;
    const movement = new Movement({ pid: this.pid, logFile });
    let ended: string | undefined;
    void this.ended.then((how) => {
      ended = how;
    });
    for (;;) {
      if (signal?.aborted) throw calledOff(`Versity S3 Gateway on ${directory}`);
      if (ended !== undefined || movement.isStill()) {
        const still = `does not answer, and has neither written nor computed for ${movement.longestStillMs / 1_000} s`;
        throw new ServiceFault(
          'did-not-start',
          `Versity S3 Gateway on ${directory} ${ended ?? still}. Its log, ${logFile}, ends:\n${await lastLines(logFile)}`,
        );
      }
      // A request without a signature is refused, which is an answer.
      const answer = await fetch(this.url, { signal: AbortSignal.timeout(askMs) }).catch(() => undefined);
      if (answer) return;
      await delay(lookMs);
    }
  }
}

function pidFile(directory: string): string {
  return join(directory, 'pid');
}
