/** Real S3 servers of two makes for tests, each on a port of the loopback interface, with a bucket and keys of its own. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateBucketCommand, PutBucketVersioningCommand, S3Client } from '@aws-sdk/client-s3';
import { describe, it } from '@jest/globals';
import { ChildService, freePort } from '@strongroom/server-processes';
import { eventually } from './eventually.js';
import { versityTool } from './go-program.js';
import { lacks } from './outside-parts.js';
import { pythonPackagesNow } from './python-packages.js';

export const testKeys = { accessKeyId: 'tester', secretAccessKey: 'only-for-this-test' };
const region = 'us-east-1';

/** A `describe` of what only an S3 server can show, on Versity S3 Gateway. Where it can't be built, it is listed as not run. */
export function describeWithVersity(title: string, tests: (start: () => Promise<S3Server>) => void): void {
  const { path, why } = versityTool();
  describe(title, () => {
    if (path !== undefined) return tests(() => S3Server.versity(path));
    lacks('versity', why);
    it.todo(`was NOT RUN for want of an S3 server: ${why}`);
  });
}

/** The same on Moto, a server of another make. Where it can't be installed, it is listed as not run. */
export function describeWithMoto(title: string, tests: (start: () => Promise<S3Server>) => void): void {
  const { path, why } = pythonPackagesNow('moto-5.2.5');
  describe(title, () => {
    if (path !== undefined) return tests(() => S3Server.moto(path));
    lacks('moto', why);
    it.todo(`was NOT RUN for want of a second S3 server: ${why}`);
  });
}

interface Make {
  program: string;
  args: (port: number, folder: string) => string[];
  env?: NodeJS.ProcessEnv;
}

export class S3Server {
  private buckets = 0;

  private constructor(
    private readonly make: Make,
    private readonly folder: string,
    private readonly port: number,
    private child: ChildService,
  ) {}

  /** Versity S3 Gateway over a folder. */
  static versity(program: string): Promise<S3Server> {
    const keys = ['--access', testKeys.accessKeyId, '--secret', testKeys.secretAccessKey, '--region', region];
    return S3Server.start({
      program,
      args: (port, folder) => [
        ...keys,
        ...['--quiet', '--keep-alive', '--port', `127.0.0.1:${port}`],
        ...['posix', '--versioning-dir', join(folder, 'versions'), join(folder, 'buckets')],
      ],
    });
  }

  /** Moto, which keeps its objects in memory. @param packages the folder with its packages */
  static moto(packages: string): Promise<S3Server> {
    const { PATH, HOME } = process.env;
    const args = (port: number) => ['-m', 'moto.server', '-H', '127.0.0.1', '-p', String(port)];
    return S3Server.start({ program: 'python3', args, env: { PATH, HOME, PYTHONPATH: packages } });
  }

  private static async start(make: Make): Promise<S3Server> {
    const folder = await mkdtemp(join(tmpdir(), 'strongroom-s3-'));
    for (const name of ['buckets', 'versions']) await mkdir(join(folder, name));
    await writeFile(join(folder, 'keys.json'), JSON.stringify(testKeys), { mode: 0o600 });
    const port = await freePort();
    const server = new S3Server(make, folder, port, S3Server.run(make, port, folder));
    await server.answers();
    return server;
  }

  private static run({ program, args, env }: Make, port: number, folder: string): ChildService {
    const logFile = join(folder, 'log');
    return ChildService.start({
      program,
      args: args(port, folder),
      logFile,
      stopSignal: 'SIGTERM',
      ...(env && { env }),
    });
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** As `curl` or another tool of the operator would ask it. */
  client(): S3Client {
    return new S3Client({ region, endpoint: this.url, forcePathStyle: true, credentials: { ...testKeys } });
  }

  /**
   * The address of a vault, as `STRONGROOM_VAULTS` has it.
   * @param at the bucket, and a prefix where one is wanted
   * @param more other parameters, or others in place of the usual ones
   */
  vaultUrl(at: string, more: Readonly<Record<string, string>> = {}): URL {
    const url = new URL(`s3://${at}`);
    const given = { endpoint: this.url, region, credentials: join(this.folder, 'keys.json'), ...more };
    for (const [name, value] of Object.entries(given)) url.searchParams.set(name, value);
    return url;
  }

  /** Makes a bucket. @returns its name */
  async bucket({ locks = false, versions = false }: { locks?: boolean; versions?: boolean } = {}): Promise<string> {
    this.buckets += 1;
    const Bucket = `strongroom-${this.buckets}`;
    const client = this.client();
    await client.send(new CreateBucketCommand({ Bucket, ObjectLockEnabledForBucket: locks }));
    if (versions || locks) {
      const VersioningConfiguration = { Status: 'Enabled' as const };
      await client.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration }));
    }
    client.destroy();
    return Bucket;
  }

  /** Ends the server at once, as a power cut would. */
  async kill(): Promise<void> {
    await this.child.kill();
  }

  async restart(): Promise<void> {
    await this.kill();
    this.child = S3Server.run(this.make, this.port, this.folder);
    await this.answers();
  }

  async stop(): Promise<void> {
    await this.kill();
    await rm(this.folder, { recursive: true, force: true });
  }

  private async answers(): Promise<void> {
    await eventually(() => fetch(this.url), { withinMs: 30_000 });
  }
}
