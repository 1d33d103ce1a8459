import { type ChildProcessByStdio, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { rootCertificates } from 'node:tls';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { z } from 'zod';

const root = join(__dirname, '../../..');
const source = join(root, 'libs/runtime/fixtures/process.ts');
const programFolder = mkdtempSync(join(tmpdir(), 'strongroom-process-'));
/** It is started some forty times. */
const program = join(programFolder, 'process.cjs');
beforeAll(async () => {
  await promisify(execFile)(process.execPath, [join(root, 'scripts/bundle-typescript.mjs'), source, program]);
}, 60_000);
afterAll(() => rmSync(programFolder, { recursive: true, force: true }));

const hasIPv6 = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === '::1'));
const line = z.looseObject({ level: z.string(), msg: z.string(), url: z.string().optional() });
type Line = z.infer<typeof line>;

/** A real process, its log, and how it ended. */
class Started {
  readonly lines: Line[] = [];
  readonly ended: Promise<{ code: number | null; signal: string | null }>;
  private readonly child: ChildProcessByStdio<Writable, Readable, null>;
  private readonly heard = new Set<() => void>();

  /** @param before a line of shell that the process begins with */
  constructor(env: NodeJS.ProcessEnv, before = ':') {
    this.child = spawn('sh', ['-c', `${before}; exec "$@"`, 'sh', process.execPath, program], {
      env,
      stdio: ['pipe', 'pipe', 'inherit'],
    });
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

function start(env: NodeJS.ProcessEnv = {}, before?: string): Started {
  process_ = new Started({ PATH: process.env.PATH, ...whole, ...env }, before);
  return process_;
}

describe('the process of an app', () => {
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

  it.each([
    ['SIGTERM', ['SIGTERM']],
    ['SIGTERM', ['SIGTERM', 'SIGTERM']],
    ['SIGINT', ['SIGINT', 'SIGTERM', 'SIGINT']],
  ] as const)('that is supervised ends in order, with one line that says why: %s, asked by %s', async (why, asked) => {
    const app = start({ STRONGROOM_SUPERVISED: '1' });
    await app.says('listening');
    for (const signal of asked) app.kill(signal);
    // A signal that comes when everything is closed, and Node takes none any more, ends what is left of the process.
    const late = asked.slice(1).map((signal) => ({ code: null, signal }));
    expect([{ code: 0, signal: null }, ...late]).toContainEqual(await app.ended);
    const said = app.lines.map(({ msg }) => msg);
    expect(said).toHaveLength(3);
    expect(said[0]).toBe('listening');
    // Two signals that wait at the same time may be taken in any order.
    expect(said[1]).toMatch(asked.length > 1 ? /^stopping: SIG(INT|TERM)$/ : `stopping: ${why}`);
    expect(said[2]).toBe('stopped');
  });

  it('ends when it is asked to while it opens, though what it waits for never comes', async () => {
    const app = start({ STRONGROOM_SUPERVISED: '1', FIXTURE: 'open' });
    await app.says('opening');
    app.kill('SIGTERM');
    expect(await app.ended).toEqual({ code: 0, signal: null });
    expect(app.lines.map(({ msg }) => msg)).toEqual(['opening', 'stopping: SIGTERM', 'stopped']);
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
    expect(app.lines.at(-1)).toMatchObject({ level: 'fatal', err: { stack: expect.stringContaining('process.cjs') } });
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

  it.each(['256.0.0.1', '2001:db8::1'])('names the setting when %s is no address of this machine', async (host) => {
    const app = start({ STRONGROOM_HTTP_HOST: host });
    expect(await app.ended).toEqual({ code: 1, signal: null });
    const { message } = z.looseObject({ message: z.string() }).parse(app.lines.at(-1)?.err);
    expect(message).toContain(`it can't listen on ${host.includes(':') ? `[${host}]` : host}:0: `);
    expect(message).toContain('STRONGROOM_HTTP_HOST must be an address of this machine');
  });

  it.each(['::', '::1'])('serves on %s', async (host) => {
    if (!hasIPv6) return;
    const { url } = await start({ STRONGROOM_HTTP_HOST: host }).says('listening');
    expect(url).toMatch(/^http:\/\/\[::1\]:\d+$/);
    expect((await fetch(`${url}/health/live`)).status).toBe(200);
  });
});

describe('the environment of a process', () => {
  /** The name of a variable that is no setting. */
  const of = (rest: string) => `STRONGROOM_${rest}`;

  it('takes the link of a Service for none of its settings, and names what has no effect', async () => {
    const injected = {
      STRONGROOM_HTTP_PORT: 'tcp://10.0.0.1:80',
      [of('SERVICE_HOST')]: '10.0.0.1',
      [of('PORT_80_TCP_ADDR')]: '10.0.0.1',
      [of('LEASE_SECOND')]: '30',
      PGOPTIONS: '-c search_path=hush',
      NODE_TLS_REJECT_UNAUTHORIZED: '0',
    };
    // The port of the default may be taken on this machine; the configuration is what counts here.
    const app = start({ ...injected, FIXTURE: 'tell' });
    const { told } = z.looseObject({ told: z.record(z.string(), z.unknown()) }).parse(await app.says('told'));
    expect(told).toMatchObject({
      httpPort: 8781,
      variables: { PGOPTIONS: null, NODE_TLS_REJECT_UNAUTHORIZED: null },
      direct: '127.0.0.1,localhost,::1',
    });
    const warned = app.lines.filter(({ level }) => level === 'warn').map(({ msg }) => msg);
    expect(warned).toEqual([
      expect.stringMatching(/^PGOPTIONS: variables of PostgreSQL's clients have no effect/),
      expect.stringMatching(/^NODE_TLS_REJECT_UNAUTHORIZED has no effect/),
      expect.stringContaining(
        `STRONGROOM_HTTP_PORT, ${of('PORT_80_TCP_ADDR')}, ${of('SERVICE_HOST')}: the platform injects`,
      ),
      expect.stringContaining(`${of('LEASE_SECOND')}: no setting has this name`),
    ]);
    expect(JSON.stringify(app.lines)).not.toContain('hush');
  });

  it('keeps requests to this machine from a proxy, and every file from being changed by others', async () => {
    const proxied = { NODE_USE_ENV_PROXY: '1', HTTP_PROXY: 'http://127.0.0.1:9', NO_PROXY: 'example.com' };
    const app = start({ ...proxied, FIXTURE: 'tell' });
    const { told } = z.looseObject({ told: z.record(z.string(), z.unknown()) }).parse(await app.says('told'));
    expect(told).toMatchObject({
      direct: 'example.com,127.0.0.1,localhost,::1',
      umask: 0o022 | (process.umask() & 0o777),
    });
    expect(told).toMatchObject({ reachesItself: 200 });
  });

  it('takes away what bends the libraries, and says so beside settings that are wrong', async () => {
    const bending = { DEBUG: '*', NEST_DEBUG: '1', NEST_LOG_LEVEL: 'fatal', KAFKAJS_LOG_LEVEL: 'nothing' };
    const app = start({ ...bending, STRONGROOM_VAULTS: '' });
    expect(await app.ended).toEqual({ code: 78, signal: null });
    expect(app.lines.map(({ msg }) => msg)).toEqual([
      'DEBUG, KAFKAJS_LOG_LEVEL, NEST_DEBUG, NEST_LOG_LEVEL: variables of the libraries have no effect; STRONGROOM_LOG_LEVEL says how much is logged.',
      expect.stringContaining('STRONGROOM_VAULTS is not set'),
    ]);
  });

  it.each(['--tls-min-v1.0', '--tls-min-v1.1'])(
    'speaks no TLS that is broken, whatever NODE_OPTIONS says: %s',
    async (option) => {
      const app = start({ NODE_OPTIONS: option, FIXTURE: 'tell' });
      expect(await app.says('told')).toMatchObject({ told: { leastTls: 'TLSv1.2' } });
      expect(app.lines[0]?.msg).toMatch(/^NODE_OPTIONS: --tls-min-v1\.[01] has no effect/);
    },
  );

  it('leaves what NODE_OPTIONS asks for within reason', async () => {
    const app = start({ NODE_OPTIONS: '--tls-min-v1.3 --max-old-space-size=512', FIXTURE: 'tell' });
    expect(await app.says('told')).toMatchObject({ told: { leastTls: 'TLSv1.3' } });
    expect(app.lines.filter(({ level }) => level === 'warn')).toEqual([]);
  });

  it.each(['0777', '0400'])('can read and change its own files, whatever the umask: %s', async (umask) => {
    const app = start({ FIXTURE: 'tell' }, `umask ${umask}`);
    const given = Number.parseInt(umask, 8);
    expect(await app.says('told')).toMatchObject({ told: { umask: (given & 0o077) | 0o002 } });
  });

  it.each([
    ['ulimit -n 100', 'ulimit -n (the limit of open files) is 100; it must be 256 or more'],
    ['ulimit -f 2048', 'ulimit -f (the limit of the size of a file) is 1048576 bytes; it must be unlimited'],
    ['ulimit -t 600', 'ulimit -t (the limit of processor time) is 600 s; it must be unlimited'],
  ])('does not start with a limit that cuts its work, and names it: %s', async (limit, says) => {
    const app = start({}, limit);
    expect(await app.ended).toEqual({ code: 78, signal: null });
    expect(app.lines.at(-1)?.msg).toContain(says);
  });

  it.each([
    [{ UV_THREADPOOL_SIZE: '1' }, 'UV_THREADPOOL_SIZE is "1"; it must be an integer from 4 to 1024'],
    [{ UV_THREADPOOL_SIZE: 'many' }, 'UV_THREADPOOL_SIZE is "many"; it must be an integer from 4 to 1024'],
    [{ UV_THREADPOOL_SIZE: '' }, 'UV_THREADPOOL_SIZE is ""; it must be an integer from 4 to 1024'],
    [{ NODE_EXTRA_CA_CERTS: '/none/ca.pem' }, 'NODE_EXTRA_CA_CERTS is "/none/ca.pem"; it must be a file'],
    [{ NODE_EXTRA_CA_CERTS: __filename }, `NODE_EXTRA_CA_CERTS is "${__filename}"; it must be a file`],
    [
      { NODE_OPTIONS: '--use-openssl-ca', SSL_CERT_FILE: '/none/ca.pem' },
      'SSL_CERT_FILE is "/none/ca.pem"; it must be a file',
    ],
    [
      { NODE_OPTIONS: '--max-old-space-size=40' },
      '--max-old-space-size (the memory of JavaScript) is 40 MB; it must be 96 or more',
    ],
  ] as const)('does not start with a variable that makes it useless, and names it: %j', async (env, says) => {
    const app = start(env);
    expect(await app.ended).toEqual({ code: 78, signal: null });
    expect(app.lines.at(-1)?.msg).toContain(says);
  });

  it('takes authorities of its operator', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'strongroom-authorities-'));
    const ca = join(folder, 'ca.pem');
    writeFileSync(ca, `${rootCertificates[0]}\n`);
    await start({ NODE_EXTRA_CA_CERTS: ca, SSL_CERT_FILE: '/none/of/ours.pem', UV_THREADPOOL_SIZE: '8' }).says(
      'listening',
    );
    rmSync(folder, { recursive: true });
  });
});
