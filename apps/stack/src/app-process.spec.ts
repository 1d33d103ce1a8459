import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { identityOf } from '@strongroom/server-processes';
import { eventually } from '../../../test/services/eventually.js';
import { patience } from '../../../test/services/patience.js';
import { endLeftoverApps, startApp } from './app-process.js';
import { LogFolder } from './log-folder.js';

const serves = `process.stdout.write('{"level":"info","msg":"listening","url":"http://127.0.0.1:1"}\\n');`;
const supervised = 'process.stdin.on("end", () => process.exit(0)).resume(); setInterval(() => {}, 1000);';
let folder: string;
let logs: LogFolder;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'strongroom-app-'));
  mkdirSync(join(folder, 'run'));
  logs = new LogFolder(join(folder, 'log'));
});
afterEach(() => {
  logs.end();
  rmSync(folder, { recursive: true, force: true });
});

function start(program: string, signal = new AbortController().signal, longestStillMs?: number) {
  const main = join(folder, 'main.cjs');
  writeFileSync(main, program);
  const runFolder = join(folder, 'run');
  const still = longestStillMs !== undefined && { longestStillMs };
  return startApp({ app: 'api', main, env: { PATH: process.env.PATH }, logs, runFolder, signal, ...still });
}

describe('a service', () => {
  it('is started when it says where it serves; all it says is in its log', async () => {
    const app = await start(`process.stderr.write('a warning\\n'); ${serves} ${supervised}`);
    expect(app.url).toBe('http://127.0.0.1:1');
    expect(readFileSync(join(folder, 'run', 'api.pid'), 'utf8')).toBe(identityOf(app.pid));
    await app.stop();
    expect(await app.ended).toBe('was ended by SIGTERM');
    await eventually(() => expect(readFileSync(logs.file('api'), 'utf8')).toContain('a warning'), {
      withinMs: 10_000,
    });
  });

  it('that ends before it serves is reported with the gravest line of its log', async () => {
    const dies = `process.stdout.write('{"level":"fatal","msg":"no such key"}\\n'); process.exitCode = 78;`;
    await expect(start(dies)).rejects.toThrow('api ended with code 78 before it served: no such key. Its log: ');
    await expect(start("throw new TypeError('out of luck')")).rejects.toThrow('TypeError: out of luck');
  });

  it('is waited for as long as it moves, however slow it is', async () => {
    const waits = `const told = setInterval(() => process.stdout.write('{"level":"warn","msg":"waiting"}\\n'), 50);`;
    const late = `setTimeout(() => { clearInterval(told); ${serves} }, ${3_000 * patience});`;
    const app = await start(`${waits} ${late} ${supervised}`, undefined, 1_000 * patience);
    expect(app.url).toBe('http://127.0.0.1:1');
    await app.stop();
  });

  it('that is still for too long is given up, with what it said last', async () => {
    const says = `process.stdout.write('{"level":"info","msg":"waiting for the database"}\\n');`;
    await expect(start(`${says} ${supervised}`, undefined, 500)).rejects.toThrow(
      /^api has neither written nor computed for 0\.5 s before it served\. Its last words: waiting for the database\. Its log: /,
    );
  });

  it('ends when its start is called off', async () => {
    const callOff = new AbortController();
    const starting = start(`require('node:fs').writeFileSync(__dirname + '/up', ''); ${supervised}`, callOff.signal);
    await eventually(() => expect(existsSync(join(folder, 'up'))).toBe(true), { withinMs: 4_000 });
    callOff.abort();
    await expect(starting).rejects.toThrow('was ended by SIGKILL');
  });

  it('that a killed launcher left hanging is ended by the next, and nobody else', async () => {
    const left = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
    const stranger = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
    const exited = once(left, 'exit');
    writeFileSync(join(folder, 'run', 'api.pid'), identityOf(left.pid ?? -1) ?? '');
    writeFileSync(join(folder, 'run', 'scheduler.pid'), `${stranger.pid} 1@another-boot`);
    await endLeftoverApps(join(folder, 'run'));
    await exited;
    expect(identityOf(stranger.pid ?? -1)).toBeDefined();
    expect(readdirSync(join(folder, 'run'))).toEqual([]);
    stranger.kill('SIGKILL');
    await once(stranger, 'exit');
  });
});
