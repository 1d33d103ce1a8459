/**
 * A server that runs on a stranger's data, with a configuration of ours and nothing of our environment. Nobody logs in to find out
 * whether it is ready. What it says stays in its log, and never reaches a tenant.
 */
import { closeSync, existsSync, openSync, readSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { printable } from '@strongroom/contracts';
import {
  ChildService,
  calledOff,
  endAllOf,
  endServersOn,
  freePort,
  listensOn,
  Movement,
  type PostgresPrograms,
  type SystemUser,
  serverEnvironment,
  serversOn,
} from '@strongroom/server-processes';
import { EngineFault } from '../../engine-fault.js';
import { filledIn } from '../../guests.js';
import type { HostedServer } from '../../server-host.js';
import { whyNotStarted } from './host-settings.js';
import { answerOf } from './server-answer.js';

export interface GuestPlace {
  instanceId: string;
  /** The folder with everything that the server may write. */
  folder: string;
  data: string;
  logFile: string;
  programs: PostgresPrograms;
  /** A user of its own; undefined when it runs as the user of this process. */
  user: SystemUser | undefined;
  /** Whether the user has nothing but this server. */
  isAlone: boolean;
  command: readonly string[];
  /** For its command line. */
  settings: Readonly<Record<string, string | number>>;
}

const lookMs = 30;
const againMs = 250;
const stopMs = 10_000;
/** Whatever it does, a start does not keep its place for longer than this. */
const longestStartMs = 3_600_000;
const mostPorts = 10;
const mostWaits = 40;
const logTailBytes = 16_384;
const largestLogBytes = 8_388_608;
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

/** For tenants. What the server itself has said is for the operator alone. */
const notStarted =
  'The server does not start on what the backup holds. The operator finds the reason in the log of the scheduler.';

export class GuestServer implements HostedServer {
  private constructor(
    private readonly service: ChildService,
    readonly port: number,
    private readonly place: GuestPlace,
  ) {}

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
    rotate(place.logFile);
    for (let tried = 1; ; tried += 1) {
      if (options.signal.aborted) throw calledOff('a built server');
      const port = options.port ?? (await freePort());
      const { service, from } = run(place, port);
      const server = new GuestServer(service, port, place);
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

  /** Ends whatever an earlier process has left running on the folder or for the user. */
  static async endLeftovers(place: Pick<GuestPlace, 'data' | 'user' | 'isAlone'>): Promise<void> {
    await endServersOn(place.data);
    await endStrays(place);
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
      await Promise.race([this.ended, delay(stopMs, undefined, { ref: false })]);
    }
    await this.end();
  }

  private async end(): Promise<void> {
    await this.service.kill();
    await endStrays(this.place);
  }

  /** A command around the server may not pass signals on. */
  private signal(signal: NodeJS.Signals): void {
    const within = this.place.command.length > 0 ? serversOn(this.place.data) : [];
    if (within.length === 0) this.service.signal(signal);
    for (const pid of within) tryToSignal(pid, signal);
  }

  /** @returns why it does not start; empty when it takes connections */
  private async ready(from: number, signal: AbortSignal): Promise<string> {
    const { place, service, port } = this;
    const movement = new Movement({ pid: service.pid, logFile: place.logFile });
    const deadline = performance.now() + longestStartMs;
    for (;;) {
      const answer = await answerOf(port);
      if (signal.aborted) throw calledOff('a built server');
      if (!service.running) return told(place, from, await service.ended);
      if (answer === 'accepts' && this.isListening()) return '';
      if (answer === 'starting') movement.moved();
      if (movement.isStill()) return told(place, from, 'does not answer, and neither writes nor computes');
      if (performance.now() > deadline) return told(place, from, 'takes too long to start');
      await delay(lookMs);
    }
  }

  /** Whether it is this server who answers: any other process of the machine might take its port. */
  private isListening(): boolean {
    const { user, isAlone } = this.place;
    return !user || !isAlone || listensOn(this.port, user) !== false;
  }
}

function run(
  { instanceId, folder, data, logFile, programs, user, command, settings }: GuestPlace,
  port: number,
): { service: ChildService; from: number } {
  const all = { ...settings, port };
  const args = ['-D', data, ...Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`])];
  const values = { id: instanceId, folder, programs: join(programs.bin, '..'), port: String(port) };
  const [program, ...rest] = [...filledIn(command, values), join(programs.bin, 'postgres'), ...args] as [
    string,
    ...string[],
  ];
  const from = existsSync(logFile) ? statSync(logFile).size : 0;
  const options = {
    program,
    args: rest,
    logFile,
    env: serverEnvironment,
    cwd: data,
    user,
    stopSignal: 'SIGINT',
  } as const;
  return { service: ChildService.start(options), from };
}

/** Ends what code of the data has left running, unless a server runs on them, which is then another process's. */
async function endStrays({ data, user, isAlone }: Pick<GuestPlace, 'data' | 'user' | 'isAlone'>): Promise<void> {
  if (user && isAlone && serversOn(data).length === 0) await endAllOf(user);
}

/** What the log says, for the operator: its end only, however much there is. */
function told({ logFile }: GuestPlace, from: number, how: string): string {
  return printable(`PostgreSQL ${how}. The end of its log, ${logFile}: ${whyNotStarted(tailOf(logFile, from))}`);
}

function tailOf(logFile: string, from: number): string {
  const file = openSync(logFile, 'r');
  try {
    const { size } = statSync(logFile);
    const begin = Math.max(size < from ? 0 : from, size - logTailBytes);
    const bytes = Buffer.alloc(Math.max(size - begin, 0));
    return bytes.toString('utf8', 0, readSync(file, bytes, 0, bytes.length, begin));
  } finally {
    closeSync(file);
  }
}

/** Keeps one log before this one. Both go with the server, and no other guest can read them. */
function rotate(logFile: string): void {
  const { size } = statSync(logFile, { throwIfNoEntry: false }) ?? { size: 0 };
  if (size > largestLogBytes) renameSync(logFile, `${logFile}.before`);
  closeSync(openSync(logFile, 'a', 0o600));
}

function tryToSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended meanwhile.
  }
}
