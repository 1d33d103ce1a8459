/** A real Keystone for a test: the code from PyPI, on SQLite, on a port of the loopback interface. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from '@strongroom/server-processes';
import { z } from 'zod';
import { eventually } from './eventually.js';
import { type PythonPrograms, pythonPackages } from './python-packages.js';

const run = promisify(execFile);
const adminPassword = 'only-for-this-test';
const administrator: KeystoneUserOf = { user: 'admin', project: 'admin' };
const withId = z.record(z.string(), z.looseObject({ id: z.string() }));

const server = `
import sys
from wsgiref.simple_server import WSGIRequestHandler, make_server
from keystone.server.wsgi import initialize_public_application

class Quiet(WSGIRequestHandler):
    def log_message(self, *args):
        pass

port = int(sys.argv.pop())
make_server('127.0.0.1', port, initialize_public_application(), handler_class=Quiet).serve_forever()
`;

export interface KeystoneUserOf {
  user: string;
  project: string | null;
  /** The name of the domain of both. Default: the one that Keystone begins with. */
  domain?: string;
}

const firstDomain = { id: 'default', name: 'Default' };

export class Keystone {
  private child: ChildProcess | undefined;
  private adminToken = '';

  private constructor(
    private readonly programs: PythonPrograms,
    private readonly folder: string,
    private readonly port: number,
  ) {}

  /** Undefined, with a message, where Keystone cannot be installed. */
  static async start(options: { tokenSeconds: number }): Promise<Keystone | undefined> {
    const programs = await pythonPackages({ name: 'keystone-30.0.0', part: 'keystone' });
    if (!programs) return undefined;
    const keystone = new Keystone(programs, await mkdtemp(join(tmpdir(), 'strongroom-keystone-')), await freePort());
    await keystone.configure(options.tokenSeconds);
    await keystone.restart();
    return keystone;
  }

  get url(): URL {
    return new URL(`http://127.0.0.1:${this.port}`);
  }

  /** Ends Keystone at once, as a power cut would. */
  async kill(): Promise<void> {
    const { child } = this;
    this.child = undefined;
    if (!child || child.exitCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }

  /** @param tokenSeconds how long the tokens count that it gives from now on. Default: as long as before */
  async restart({ tokenSeconds }: { tokenSeconds?: number } = {}): Promise<void> {
    await this.kill();
    if (tokenSeconds !== undefined) await this.writeConfig(tokenSeconds);
    const args = [join(this.folder, 'serve.py'), String(this.port)];
    this.child = spawn('python3', args, { env: this.env, stdio: 'ignore' });
    await eventually(async () => expectOk(await fetch(new URL('/v3', this.url))), { withinMs: 30_000 });
    this.adminToken = await this.token(administrator, adminPassword);
  }

  async stop(): Promise<void> {
    await this.kill();
    await rm(this.folder, { recursive: true, force: true });
  }

  /** Makes a domain, in which names are unique apart from those of others. @returns its id */
  domain(name: string): Promise<string> {
    return this.create('domains', 'domain', { name });
  }

  /** Makes a project. @returns its id */
  project(name: string, domainId = firstDomain.id): Promise<string> {
    return this.create('projects', 'project', { name, domain_id: domainId });
  }

  async user(name: string, password: string, domainId = firstDomain.id): Promise<string> {
    return this.create('users', 'user', { name, password, domain_id: domainId });
  }

  /** Gives a user a role in a project, and creates the role if it is missing. */
  async grant(userId: string, projectId: string, role: string): Promise<void> {
    const found = z
      .object({ roles: z.array(z.object({ id: z.string() })) })
      .parse(await (await this.call('GET', `/v3/roles?name=${role}`)).json()).roles[0];
    const roleId = found?.id ?? (await this.create('roles', 'role', { name: role }));
    expectOk(await this.call('PUT', `/v3/projects/${projectId}/users/${userId}/roles/${roleId}`));
  }

  /** A token of the user, scoped to the project; without a project, it is unscoped. */
  async token(
    { user, project, domain: domainName = firstDomain.name }: KeystoneUserOf,
    password: string,
  ): Promise<string> {
    const domain = { name: domainName };
    const identity = { methods: ['password'], password: { user: { name: user, domain, password } } };
    const scope = project === null ? 'unscoped' : { project: { name: project, domain } };
    const response = await fetch(new URL('/v3/auth/tokens', this.url), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ auth: { identity, scope } }),
    });
    expectOk(response);
    return response.headers.get('x-subject-token') ?? '';
  }

  async revoke(token: string): Promise<void> {
    expectOk(await this.call('DELETE', '/v3/auth/tokens', undefined, { 'x-subject-token': token }));
  }

  private get env() {
    const { PATH, HOME } = process.env;
    return { PATH, HOME, PYTHONPATH: this.programs.path, OS_KEYSTONE_CONFIG_FILES: this.config };
  }

  private get config(): string {
    return join(this.folder, 'keystone.conf');
  }

  private async configure(tokenSeconds: number): Promise<void> {
    const { folder } = this;
    await mkdir(join(folder, 'fernet'), { mode: 0o700 });
    // As `keystone-manage fernet_setup` does: the key that is next, and the one that signs.
    for (const name of ['0', '1']) await writeFile(join(folder, 'fernet', name), fernetKey(), { mode: 0o600 });
    await writeFile(join(folder, 'serve.py'), server);
    await this.writeConfig(tokenSeconds);
    const urls = ['admin', 'public', 'internal'].flatMap((kind) => [`--bootstrap-${kind}-url`, `${this.url}v3/`]);
    await this.manage('db_sync');
    await this.manage(
      'bootstrap',
      '--bootstrap-password',
      adminPassword,
      '--bootstrap-region-id',
      'RegionOne',
      ...urls,
    );
  }

  private async writeConfig(tokenSeconds: number): Promise<void> {
    const { folder } = this;
    const sections = {
      database: { connection: `sqlite:///${folder}/keystone.db` },
      token: { provider: 'fernet', expiration: tokenSeconds, allow_expired_window: 0 },
      fernet_tokens: { key_repository: `${folder}/fernet` },
      fernet_receipts: { key_repository: `${folder}/fernet` },
      identity: { password_hash_rounds: 4 },
    };
    const lines = Object.entries(sections).flatMap(([name, values]) => [
      `[${name}]`,
      ...Object.entries(values).map(([key, value]) => `${key} = ${value}`),
    ]);
    await writeFile(this.config, `${lines.join('\n')}\n`);
  }

  private async manage(...command: string[]): Promise<void> {
    const program = join(this.programs.bin, 'keystone-manage');
    await run('python3', [program, '--config-file', this.config, ...command], { env: this.env });
  }

  private async create(kind: string, key: string, fields: object): Promise<string> {
    const response = await this.call('POST', `/v3/${kind}`, { [key]: fields });
    expectOk(response);
    return withId.parse(await response.json())[key]?.id ?? '';
  }

  /** On a busy machine the administrator's token expires, as all do, before a test has made what it needs. */
  private async call(method: string, path: string, body?: object, headers?: Record<string, string>): Promise<Response> {
    const attempt = () =>
      fetch(new URL(path, this.url), {
        method,
        headers: { 'x-auth-token': this.adminToken, 'content-type': 'application/json', ...headers },
        ...(body && { body: JSON.stringify(body) }),
      });
    const response = await attempt();
    if (response.status !== 401) return response;
    this.adminToken = await this.token(administrator, adminPassword);
    return attempt();
  }
}

function fernetKey(): string {
  return `${randomBytes(32).toString('base64url')}=`;
}

function expectOk(response: Response): void {
  if (!response.ok) throw new Error(`Keystone answered ${response.status} to ${response.url}`);
}
