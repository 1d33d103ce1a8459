import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { afterEach, describe, expect, it } from '@jest/globals';
import { z } from 'zod';

const root = join(__dirname, '../../..');
const line = z.looseObject({ level: z.string(), msg: z.string(), url: z.string().optional() });
type Line = z.infer<typeof line>;

/** A real process, its log, and how it ended. */
class Started {
  readonly lines: Line[] = [];
  readonly ended: Promise<{ code: number | null; signal: string | null }>;
  private readonly child: ChildProcessByStdio<Writable, Readable, null>;
  private readonly heard = new Set<() => void>();

  constructor(env: NodeJS.ProcessEnv) {
    this.child = spawn(
      process.execPath,
      [join(root, 'scripts/run-typescript.cjs'), join(root, 'libs/runtime/fixtures/process.ts')],
      {
        env,
        stdio: ['pipe', 'pipe', 'inherit'],
      },
    );
    this.ended = once(this.child, 'close').then(([code, signal]) => ({ code, signal }));
    createInterface(this.child.stdout).on('line', (text) => {
      this.lines.push(line.parse(JSON.parse(text)));
      for (const look of this.heard) look();
    });
  }

  async says(words: string): Promise<Line> {
    const found = () => this.lines.find(({ msg }) => msg.includes(words));
    await new Promise<void>((resolve, reject) => {
      const look = () => found() && resolve();
      this.heard.add(look);
      look();
      this.ended.then(
        () => reject(new Error(`ended without saying "${words}": ${JSON.stringify(this.lines)}`)),
        reject,
      );
    });
    return found() ?? line.parse({});
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  hangUp(): void {
    this.child.stdin.destroy();
  }
}

describe('the process of an app', () => {
  let process_: Started | undefined;
  afterEach(async () => {
    process_?.kill('SIGKILL');
    await process_?.ended;
  });

  const whole = {
    STRONGROOM_DATABASE_URL: 'postgres://127.0.0.1/none',
    STRONGROOM_FEED: 'embedded',
    STRONGROOM_VAULTS: 'DFW=file:///none',
    STRONGROOM_HTTP_PORT: '0',
  };
  const start = (env: NodeJS.ProcessEnv = {}) => {
    process_ = new Started({ PATH: process.env.PATH, ...whole, ...env });
    return process_;
  };

  it('serves, and ends with nothing left open when it is told to', async () => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      const app = start();
      const { url } = await app.says('listening');
      expect((await fetch(`${url}/health/ready`)).status).toBe(200);
      expect(await (await fetch(`${url}/metrics`)).text()).toContain('process_resident_memory_bytes');
      app.kill(signal);
      expect(await app.ended).toEqual({ code: 0, signal: null });
      expect(app.lines.map(({ msg }) => msg)).toEqual(['listening', `stopping: ${signal}`, 'stopped']);
    }
  });

  it('ends when its supervisor is gone', async () => {
    const app = start({ STRONGROOM_SUPERVISED: '1' });
    await app.says('listening');
    app.hangUp();
    expect(await app.ended).toEqual({ code: 0, signal: null });
    expect(app.lines.map(({ msg }) => msg)).toContain('stopping: standard input closed');
  });

  it('goes on after its standard input is closed when it is not supervised', async () => {
    const app = start();
    app.hangUp();
    const { url } = await app.says('listening');
    expect((await fetch(`${url}/health/live`)).status).toBe(200);
  });

  it('says that it listens, even when its log is silent', async () => {
    await start({ STRONGROOM_LOG_LEVEL: 'error' }).says('listening');
  });

  it('ends at its deadline though something hangs, and says so', async () => {
    const app = start({ FIXTURE: 'hang' });
    await app.says('listening');
    app.kill('SIGTERM');
    expect(await app.ended).toEqual({ code: 1, signal: null });
    await expect(app.says('not stopped within 500 ms')).resolves.toMatchObject({ level: 'error' });
  });

  it('ends though something was left open, and names what', async () => {
    const app = start({ FIXTURE: 'leak' });
    await app.says('listening');
    app.kill('SIGTERM');
    expect(await app.ended).toEqual({ code: 0, signal: null });
    await expect(app.says('left open')).resolves.toMatchObject({
      level: 'warn',
      holding: expect.arrayContaining(['Timeout']),
    });
  });

  it('ends when it is told to while it still waits for what it needs', async () => {
    const app = start({ FIXTURE: 'wait' });
    await app.says('waiting for the database');
    app.kill('SIGTERM');
    expect(await app.ended).toEqual({ code: 0, signal: null });
  });

  it.each(['reject', 'throw'])('dies at once of an error that nobody handled: %s', async (behaviour) => {
    const app = start({ FIXTURE: behaviour });
    expect(await app.ended).toEqual({ code: 1, signal: null });
    expect(app.lines.at(-1)).toMatchObject({ level: 'fatal', err: { stack: expect.stringContaining('process.ts') } });
  });

  it('does not start with an incomplete configuration, and names everything that is wrong', async () => {
    const app = start({ STRONGROOM_VAULTS: '', STRONGROOM_HTTP_PORT: 'http' });
    expect(await app.ended).toEqual({ code: 78, signal: null });
    expect(app.lines).toMatchObject([
      {
        level: 'fatal',
        msg: expect.stringMatching(/STRONGROOM_VAULTS is not set[\s\S]*STRONGROOM_HTTP_PORT is "http"/),
      },
    ]);
  });

  it('says why it can not start', async () => {
    const app = start({ STRONGROOM_HTTP_HOST: '256.0.0.1' });
    expect(await app.ended).toEqual({ code: 1, signal: null });
    expect(app.lines.at(-1)).toMatchObject({ level: 'fatal', msg: "replicator can't start" });
  });
});
