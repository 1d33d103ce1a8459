/** Emulators of the stores of Azure and of Google for tests, each on a port of the loopback interface. */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ContainerClient, StorageSharedKeyCredential } from '@azure/storage-blob';
import { describe, it } from '@jest/globals';
import { ChildService, freePort } from '@strongroom/server-processes';
import { eventually } from './eventually.js';
import { goTool } from './go-program.js';
import { lacks, type OutsidePart } from './outside-parts.js';

const account = 'strongroomtest';
const accountKey = Buffer.from('only for this test').toString('base64');
const azuriteVersion = '3.35.0';

/** An emulator that a test has started. */
export interface Emulator {
  url: string;
  /**
   * Makes a bucket, and gives the address of a vault in it.
   * @param behind the address of a proxy before the emulator
   */
  vaultUrl(prefix: string, behind?: string): Promise<URL>;
  stop(): Promise<void>;
}

type Tests = (start: () => Promise<Emulator>) => void;

/** A `describe` of what only Azure can show. Where Azurite is not asked for or can't be fetched, it is listed as not run. */
export function describeWithAzurite(title: string, tests: Tests): void {
  const found = whereAsked('REQUIRE_AZURITE', azurite);
  describeWith('azurite', title, found, (program) => tests(() => startAzurite(program)));
}

/** A `describe` of what only Google Cloud Storage can show. Where fake-gcs-server is not asked for or can't be built, it is listed as not run. */
export function describeWithFakeGcs(title: string, tests: Tests): void {
  const build = () => goTool('test/fake-gcs-server', 'github.com/fsouza/fake-gcs-server', '');
  const found = whereAsked('REQUIRE_FAKE_GCS', build);
  describeWith('fake-gcs-server', title, found, (program) => tests(() => startFakeGcs(program)));
}

interface Found {
  path?: string | undefined;
  why?: string | undefined;
}

/** To fetch or build an emulator takes minutes of the processor, which the nightly run has. */
function whereAsked(requirement: 'REQUIRE_AZURITE' | 'REQUIRE_FAKE_GCS', find: () => Found): Found {
  return process.env[requirement] === '1' ? find() : { why: `it is fetched only where ${requirement}=1` };
}

function describeWith(
  part: OutsidePart,
  title: string,
  { path, why = '' }: Found,
  tests: (program: string) => void,
): void {
  describe(title, () => {
    if (path !== undefined) return tests(path);
    lacks(part, why);
    it.todo(`was NOT RUN for want of its emulator: ${why}`);
  });
}

/** Its packages are those of its lock file, and none runs a script. */
function azurite(): { path: string } | { why: string } {
  const kept = join(__dirname, '..', '..', '.strongroom', `azurite-${azuriteVersion}`);
  const path = join(kept, 'node_modules', 'azurite', 'dist', 'src', 'blob', 'main.js');
  if (existsSync(path)) return { path };
  const unfinished = `${kept}.${process.pid}`;
  mkdirSync(unfinished, { recursive: true });
  for (const file of ['package.json', 'package-lock.json'])
    cpSync(join(__dirname, '..', 'azurite', file), join(unfinished, file));
  const { status, stderr, error } = spawnSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], {
    cwd: unfinished,
    encoding: 'utf8',
  });
  if (status === 0) {
    renameSync(unfinished, kept);
    return { path };
  }
  rmSync(unfinished, { recursive: true, force: true });
  return { why: error ? 'there is no npm here' : `Azurite can't be fetched: ${stderr.slice(-300)}` };
}

async function startAzurite(program: string): Promise<Emulator> {
  const folder = await mkdtemp(join(tmpdir(), 'strongroom-azurite-'));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const keyFile = join(folder, 'keys.json');
  await writeFile(keyFile, JSON.stringify({ accountKey }), { mode: 0o600 });
  const quiet = ['--silent', '--disableTelemetry', '--skipApiVersionCheck', '--inMemoryPersistence'];
  const child = ChildService.start({
    program: process.execPath,
    args: [program, '--blobHost', '127.0.0.1', '--blobPort', String(port), ...quiet],
    logFile: join(folder, 'log'),
    stopSignal: 'SIGTERM',
    env: { PATH: process.env.PATH, HOME: folder, AZURITE_ACCOUNTS: `${account}:${accountKey}` },
  });
  await eventually(() => fetch(url), { withinMs: 60_000 });
  let made = 0;
  return {
    url,
    async vaultUrl(prefix, behind = url) {
      made += 1;
      const name = `strongroom-${made}`;
      const keys = new StorageSharedKeyCredential(account, accountKey);
      await new ContainerClient(`${url}/${account}/${name}`, keys).create();
      return addressOf(`az://${name}/${prefix}`, { account, endpoint: behind, credentials: keyFile });
    },
    stop: () => stopped(child, folder),
  };
}

async function startFakeGcs(program: string): Promise<Emulator> {
  const folder = await mkdtemp(join(tmpdir(), 'strongroom-gcs-'));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const child = ChildService.start({
    program,
    args: ['-scheme', 'http', '-host', '127.0.0.1', '-port', String(port), '-backend', 'memory', '-log-level', 'error'],
    logFile: join(folder, 'log'),
    stopSignal: 'SIGTERM',
  });
  await eventually(() => fetch(`${url}/storage/v1/b?project=test`), { withinMs: 60_000 });
  let made = 0;
  return {
    url,
    async vaultUrl(prefix, behind = url) {
      made += 1;
      const name = `strongroom-${made}`;
      const headers = { 'content-type': 'application/json' };
      await fetch(`${url}/storage/v1/b?project=test`, { method: 'POST', headers, body: JSON.stringify({ name }) });
      return addressOf(`gs://${name}/${prefix}`, { endpoint: behind, credentials: 'none' });
    },
    stop: () => stopped(child, folder),
  };
}

async function stopped(child: ChildService, folder: string): Promise<void> {
  await child.kill();
  await rm(folder, { recursive: true, force: true });
}

function addressOf(text: string, parameters: Readonly<Record<string, string>>): URL {
  const url = new URL(text);
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  return url;
}
