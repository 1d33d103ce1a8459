/** Runs a program to its end, and waits for it as long as it moves. What it says is told meanwhile, without colours. */
import { spawn } from 'node:child_process';
import { stripVTControlCharacters } from 'node:util';
import { lastWords } from './child-service.js';
import { Movement, usageOf } from './movement.js';
import { calledOff, ServiceFault } from './service-fault.js';

export interface MovingProgram {
  program: string;
  args: string[];
  env: NodeJS.ProcessEnv;
  signal?: AbortSignal | undefined;
  /** Called when it says something, and every second: with its text, and the bytes that it has written so far, to files too. */
  onProgress?: (progress: { text: string; written: number }) => void;
  /** How long it may neither write nor compute. Default: five minutes. */
  longestStillMs?: number;
}

const lookMs = 1_000;
const mostText = 200_000;

/** @returns what it wrote. @throws {ServiceFault} `did-not-start` with how it ended and its last words, or `called-off` */
export function runMoving({
  program,
  args,
  env,
  signal,
  onProgress,
  longestStillMs = 300_000,
}: MovingProgram): Promise<string> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(calledOff(program));
    const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    const movement = new Movement({ pid: child.pid ?? -1 }, longestStillMs);
    let text = '';
    let cutOff: string | undefined;
    const tell = () => onProgress?.({ text, written: usageOf(child.pid ?? -1).written });
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (chunk: string) => {
        text = stripVTControlCharacters(text + chunk).slice(-mostText);
        movement.moved();
        tell();
      });
    }
    const looks = setInterval(() => {
      if (movement.isStill()) {
        cutOff = `was ended, because nothing had moved for ${longestStillMs / 1_000} s`;
        child.kill('SIGKILL');
      } else tell();
    }, lookMs);
    const callOff = () => void child.kill('SIGKILL');
    signal?.addEventListener('abort', callOff, { once: true });
    const over = () => {
      clearInterval(looks);
      signal?.removeEventListener('abort', callOff);
    };
    child.once('error', (error) => {
      over();
      reject(new ServiceFault('not-installed', `${program} could not be run: ${error.message}`, { cause: error }));
    });
    child.once('close', (code, by) => {
      over();
      if (signal?.aborted) return reject(calledOff(program));
      if (code === 0) return resolve(text);
      const how = cutOff ?? (by === null ? `ended with code ${code}` : `was ended by ${by}`);
      reject(new ProgramFault(`${program} ${how}`, text));
    });
  });
}

/** A program ended otherwise than it should. `text` is what it wrote. */
export class ProgramFault extends ServiceFault {
  constructor(
    readonly how: string,
    readonly text: string,
  ) {
    const said = lastWords(text);
    super('did-not-start', said === '' ? how : `${how}; its last words: ${said}`);
  }
}
