/**
 * One of the three services as a process. It ends when this process ends, however that happens, because its standard
 * input closes then. Its pid is written down, so that the next launcher can end a service that did not end.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { endProcess, identityOf, Movement } from '@strongroom/server-processes';
import { z } from 'zod';
import type { LogFolder } from './log-folder.js';
import type { Running } from './supervised.js';
import { writeWhole } from './whole-file.js';

export type AppName = 'api' | 'scheduler' | 'replicator';

export interface AppProcess extends Running {
  url: string;
  /** Where it serves its metrics and the details of its health. */
  privateUrl: string;
}

export interface AppOptions {
  app: AppName;
  /** The path of its program. */
  main: string;
  env: NodeJS.ProcessEnv;
  logs: LogFolder;
  /** The folder that pids are written to. */
  runFolder: string;
  /** Cancels the start. */
  signal: AbortSignal;
  /** How long it may neither write nor compute before it serves. Default: two minutes. */
  longestStillMs?: number;
}

const logLine = z.object({
  msg: z.string(),
  level: z.string().optional(),
  url: z.string().optional(),
  privateUrl: z.string().optional(),
});
const lookMs = 250;
const stopMs = 10_000;
const grave = ['error', 'fatal'];

/** Returns when the service serves. It is waited for as long as it moves. @throws with the gravest line of its log when it does not serve */
export async function startApp({
  app,
  main,
  env,
  logs,
  runFolder,
  signal,
  longestStillMs,
}: AppOptions): Promise<AppProcess> {
  signal.throwIfAborted();
  // The service has a session of its own, so that a Ctrl-C reaches only the launcher, which stops everything in order.
  const child = spawn(process.execPath, ['--enable-source-maps', main], {
    env,
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
  });
  // The process may be gone before its standard input is closed.
  child.stdin.on('error', () => {});
  const log = logs.stream(app);
  child.stdout.pipe(log, { end: false });
  child.stderr.pipe(log, { end: false });
  const ended = new Promise<string>((resolve) => {
    child.once('close', (code, by) => resolve(by ? `was ended by ${by}` : `ended with code ${code}`));
    child.once('error', (error) => resolve(`could not be run: ${error.message}`));
  });
  void ended.then(() => log.end());
  if (child.pid !== undefined) writeWhole(pidFile(runFolder, app), identityOf(child.pid) ?? '');
  const kill = async () => {
    child.kill('SIGKILL');
    await ended;
  };
  const stop = async () => {
    child.kill('SIGTERM');
    const force = setTimeout(() => child.kill('SIGKILL'), stopMs);
    await ended;
    clearTimeout(force);
  };
  const callOff = () => void kill();
  signal.addEventListener('abort', callOff, { once: true });
  try {
    return {
      pid: child.pid ?? -1,
      ...(await served(child, app, ended, logs.file(app), longestStillMs)),
      ended,
      stop,
      kill,
    };
  } catch (error) {
    await kill();
    throw error;
  } finally {
    signal.removeEventListener('abort', callOff);
  }
}

/** Ends the services that a killed launcher left behind. */
export async function endLeftoverApps(runFolder: string): Promise<void> {
  mkdirSync(runFolder, { recursive: true });
  await Promise.all(
    readdirSync(runFolder).map(async (name) => {
      const identity = readFileSync(join(runFolder, name), 'utf8');
      await endProcess(identity, { what: `${name} of an earlier start`, signal: 'SIGTERM', graceMs: stopMs });
      rmSync(join(runFolder, name), { force: true });
    }),
  );
}

/** @returns the URLs at which the service says that it serves */
function served(
  child: ChildProcess,
  app: AppName,
  ended: Promise<string>,
  logFile: string,
  longestStillMs?: number,
): Promise<Pick<AppProcess, 'url' | 'privateUrl'>> {
  return new Promise((resolve, reject) => {
    let gravest = '';
    let last = '';
    if (child.stderr)
      createInterface({ input: child.stderr }).on('line', (line) => {
        if (/^\w*Error\b/.test(line)) gravest = line;
      });
    const fail = (how: string, said = '') =>
      reject(
        new Error(
          `${app} ${how} before it served${gravest && `: ${gravest}`}. ${said && `${said}. `}Its log: ${logFile}`,
        ),
      );
    const movement = new Movement({ pid: child.pid ?? -1, logFile }, longestStillMs);
    const looks = setInterval(() => {
      if (!movement.isStill()) return;
      clearInterval(looks);
      const said = last === '' ? 'It has said nothing' : `Its last words: ${last}`;
      fail(`has neither written nor computed for ${movement.longestStillMs / 1_000} s`, said);
    }, lookMs);
    if (child.stdout)
      createInterface({ input: child.stdout }).on('line', (line) => {
        const { msg, level = '', url, privateUrl } = logLine.safeParse(parsed(line)).data ?? { msg: '' };
        if (grave.includes(level)) gravest = msg;
        if (msg !== '') last = msg;
        if (msg !== 'listening' || url === undefined) return;
        clearInterval(looks);
        resolve({ url, privateUrl: privateUrl ?? url });
      });
    void ended.then((how) => {
      clearInterval(looks);
      fail(how);
    });
  });
}

function pidFile(runFolder: string, app: AppName): string {
  return join(runFolder, `${app}.pid`);
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
