/**
 * A server that runs on a stranger's data, with a configuration of ours and nothing of our environment. Nobody logs in to find out
 * whether it is ready. What it says stays in its log, and never reaches a tenant.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import {
  ChildService,
  calledOff,
  descendantNamed,
  freePort,
  identityOf,
  listenersOn,
  Movement,
  type PostgresPrograms,
  type SystemUser,
  serverEnvironment,
} from '@strongroom/server-processes';
import { EngineFault } from '../../engine-fault.js';
import { filledIn } from '../../guests.js';
import type { HostedServer } from '../../server-host.js';
import { endStrays, noteRunning } from './guest-leftovers.js';
import { GuestLog } from './guest-log.js';
import { answerOf } from './server-answer.js';

export interface GuestPlace {
  instanceId: string;
  /** The folder with everything of the server. What it may write is in it. */
  folder: string;
  data: string;
  logFile: string;
  programs: PostgresPrograms;
  /** A user of its own; undefined when it runs as the user of this process. */
  user: SystemUser | undefined;
  /** Whether the user has nothing but this server. */
  isAlone: boolean;
  /** How many processes the user may have then. */
  mostProcesses: number;
  command: readonly string[];
  /** For its command line. */
  settings: Readonly<Record<string, string | number>>;
}

const lookMs = 30;
const logLookMs = 1_000;
const againMs = 250;
const stopMs = 10_000;
/** Whatever it does, a start does not keep its place for longer than this. */
const longestStartMs = 3_600_000;
const mostPorts = 10;
const mostWaits = 40;
const portTaken = /could not bind [^\n]*: Address already in use/;
/** The children of a server that was killed keep its memory until they notice. */
const childrenLeft = 'pre-existing shared memory block';
/** At these ages of transactions, autovacuum begins though it is off. No server of good faith gets there. */
const greatestAge = 2_000_000_000;
const closedSettings = {
  autovacuum: 'off',
  autovacuum_freeze_max_age: greatestAge,
  autovacuum_multixact_freeze_max_age: greatestAge,
};
/** When the host has no memory left, guests are ended before anything else. */
const goesFirst = '1000';

/** For tenants. What the server itself has said is for the operator alone. */
const notStarted =
  'The server does not start on what the backup holds. The operator finds the reason in the log of the scheduler.';

export class GuestServer implements HostedServer {
  private constructor(
    private readonly service: ChildService,
    readonly port: number,
    private readonly place: GuestPlace,
    private readonly log: GuestLog,
  ) {
    // Whatever is the matter with the disk, the next look comes.
    const looks = setInterval(() => void log.shorten().catch(() => {}), logLookMs).unref();
    void service.ended.then(() => clearInterval(looks));
  }

  /**
   * Lets a server recover the folder, and ends it. It lets nobody in, has no autovacuum and fires no trigger, so that the proof of a
   * build runs no code of the backup.
   * @throws {EngineFault} `server-did-not-start`
   */
  static async recover(place: GuestPlace, signal: AbortSignal): Promise<void> {
    const closed = await GuestServer.start(
      { ...place, settings: { ...place.settings, ...closedSettings } },
      { signal },
    );
    await closed.stop();
  }

  /**
   * Returns when the server takes connections.
   * @throws {EngineFault} `server-did-not-start`; its cause has the end of the log
   */
  static async start(place: GuestPlace, options: { port?: number | undefined; signal: AbortSignal }) {
    const log = new GuestLog(place.logFile);
    log.begin();
    for (let tried = 1; ; tried += 1) {
      if (options.signal.aborted) throw calledOff('a built server');
      const port = options.port ?? (await freePort());
      const from = log.sizeBytes;
      const server = new GuestServer(run(place, port), port, place, log);
      const why = await server.ready(from, options.signal).catch(async (error: unknown) => {
        await server.stop();
        throw error;
      });
      if (why === '') return server;
      await server.end();
      const mayPass =
        (options.port === undefined && portTaken.test(why) && tried < mostPorts) ||
        (why.includes(childrenLeft) && tried < mostWaits);
      if (!mayPass) throw new EngineFault('server-did-not-start', notStarted, { cause: new Error(why) });
      await delay(againMs);
    }
  }

  get isRunning(): boolean {
    return this.service.running;
  }

  get ended(): Promise<string> {
    return this.service.ended;
  }

  /** Shuts down fast: connections are ended and nothing is lost. When that takes too long, the server is ended as by a crash. */
  async stop(): Promise<void> {
    // Whoever has ended it may have started another one on the same data.
    if (!this.isRunning) return;
    for (const signal of ['SIGINT', 'SIGQUIT'] as const) {
      if (!this.isRunning) break;
      this.signal(signal);
      // Code of the data may have stopped it.
      this.signal('SIGCONT');
      await Promise.race([this.ended, delay(stopMs, undefined, { ref: false })]);
    }
    await this.end();
  }

  private async end(): Promise<void> {
    await this.service.kill();
    await endStrays(this.place, this.service.pid);
  }

  /** A command around the server may not pass signals on. */
  private signal(signal: NodeJS.Signals): void {
    const { command } = this.place;
    const within = command.length > 0 ? descendantNamed(this.service.pid, 'postgres') : undefined;
    if (within === undefined) this.service.signal(signal);
    else tryToSignal(within, signal);
  }

  /** @returns why it does not start; empty when it takes connections */
  private async ready(from: number, signal: AbortSignal): Promise<string> {
    const { place, service, port, log } = this;
    const movement = new Movement({ pid: service.pid, logFile: place.logFile });
    const deadline = performance.now() + longestStartMs;
    for (;;) {
      const answer = await answerOf(port);
      if (signal.aborted) throw calledOff('a built server');
      if (!service.running) return log.told(from, await service.ended);
      if (answer === 'accepts' && this.isListening()) return '';
      if (answer === 'starting') movement.moved();
      if (movement.isStill()) return log.told(from, 'does not answer, and neither writes nor computes');
      if (performance.now() > deadline) return log.told(from, 'takes too long to start');
      await delay(lookMs);
    }
  }

  /** Whether it is this server who answers: any other process of the machine might take its port. */
  private isListening(): boolean {
    const { user, isAlone } = this.place;
    const listeners = listenersOn(this.port);
    return !user || !isAlone || !listeners || (listeners.length > 0 && listeners.every((uid) => uid === user.uid));
  }
}

function run(place: GuestPlace, port: number): ChildService {
  const { instanceId, folder, data, logFile, programs, user, command, settings } = place;
  const all = { ...settings, port };
  const args = ['-D', data, ...Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`])];
  const values = { id: instanceId, folder, programs: join(programs.bin, '..'), port: String(port) };
  const [program, ...rest] = [
    ...boundsOf(place),
    ...filledIn(command, values),
    join(programs.bin, 'postgres'),
    ...args,
  ] as [string, ...string[]];
  const service = ChildService.start({
    program,
    args: rest,
    logFile,
    env: serverEnvironment,
    cwd: data,
    user,
    stopSignal: 'SIGINT',
  });
  letGoFirst(service.pid);
  try {
    noteRunning(place, identityOf(service.pid));
  } catch (error) {
    service.signal('SIGKILL');
    throw error;
  }
  return service;
}

/**
 * What a user of its own can't get past. No program gives a process of it another user, so that none comes back as a user that another
 * server has by now. It has no more processes than that.
 */
function boundsOf({ user, isAlone, mostProcesses }: GuestPlace): string[] {
  if (!user || !isAlone || process.platform !== 'linux') return [];
  const limits = [`--nproc=${mostProcesses}:${mostProcesses}`, '--core=0:0'];
  return ['setpriv', '--no-new-privs', '--', 'prlimit', ...limits, '--'];
}

function letGoFirst(pid: number): void {
  try {
    writeFileSync(`/proc/${pid}/oom_score_adj`, goesFirst);
  } catch {
    // It has ended already, or the system has no such file.
  }
}

function tryToSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended meanwhile.
  }
}
