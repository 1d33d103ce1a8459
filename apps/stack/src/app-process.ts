/** One of the three services as a process. It ends with this one, however this one ends: its standard input closes then. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import type { RotatingLog } from './rotating-log.js';
import type { Running } from './supervised.js';

export type AppName = 'api' | 'scheduler' | 'replicator';

export interface AppProcess extends Running {
  url: string;
}

const listening = z.object({ msg: z.literal('listening'), url: z.string() });
const startMs = 60_000;
const stopMs = 10_000;

/** Returns when it listens. */
export async function startApp(app: AppName, env: NodeJS.ProcessEnv, log: RotatingLog): Promise<AppProcess> {
  const main = join(import.meta.dirname, '..', '..', app, 'src', 'main.js');
  // In a group of its own, a Ctrl-C on the terminal reaches only the launcher, which stops things in order.
  const child = spawn(process.execPath, ['--enable-source-maps', main], {
    env,
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
  });
  log.take(child.stdout);
  log.take(child.stderr);
  const ended = new Promise<string>((resolve) => {
    child.once('exit', (code, signal) => resolve(signal ? `was ended by ${signal}` : `ended with code ${code}`));
    child.once('error', (error) => resolve(error.message));
  });
  const stop = async () => {
    child.kill('SIGTERM');
    const force = setTimeout(() => child.kill('SIGKILL'), stopMs);
    await ended;
    clearTimeout(force);
  };
  try {
    const url = await new Promise<string>((resolve, reject) => {
      const tooLong = setTimeout(() => reject(new Error(`${app} did not listen within ${startMs / 1_000} s`)), startMs);
      createInterface({ input: child.stdout }).on('line', (line) => {
        const found = listening.safeParse(parsed(line));
        if (!found.success) return;
        clearTimeout(tooLong);
        resolve(found.data.url);
      });
      void ended.then((how) => {
        clearTimeout(tooLong);
        reject(new Error(`${app} ${how} before it listened`));
      });
    });
    return { pid: child.pid ?? -1, url, ended, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
