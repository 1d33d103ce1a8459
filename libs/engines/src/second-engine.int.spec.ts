import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { getBackupsId, postInstances } from '@strongroom/contracts';
import { z } from 'zod';
import type { AppProcess } from '../../../test/app-process.js';
import { Deployment } from '../../../test/deployment.js';
import { builtServersIn } from '../../../test/services/built-servers.js';
import { eventually } from '../../../test/services/eventually.js';
import { authorization, makeNotebook, NotebookServer, version } from '../fixtures/notebook/notebook-server.js';

const run = promisify(execFile);
const root = join(__dirname, '..', '..', '..');
const [user, password] = ['keeper', 'secret'];
const answered = z.object({
  instance: z.looseObject({ id: z.string(), datastore: z.unknown() }).optional(),
  backup: z.looseObject({ id: z.string() }).optional(),
});

/** Strongroom's sources with the tests' second engine added as any engine is: a folder, a value and a line with its import. */
async function projectWithNotebooks(project: string): Promise<void> {
  const isSource = (path: string) => !/\.spec\.ts$|\.contract\.ts$|\/fixtures$/.test(path);
  for (const room of ['apps', 'libs'])
    await cp(join(root, room), join(project, room), { recursive: true, filter: isSource });
  const scripts = await readdir(join(root, 'scripts'));
  const ofBuild = scripts.filter((name) => name.endsWith('.mjs')).map((name) => join('scripts', name));
  for (const file of ['package.json', 'package-lock.json', 'nest-cli.json', 'tsconfig.json', ...ofBuild]) {
    await cp(join(root, file), join(project, file), { recursive: true });
  }
  await symlink(join(root, 'node_modules'), join(project, 'node_modules'));
  const [from, to] = [join(root, 'libs/engines/fixtures/notebook'), join(project, 'libs/engines/src/notebook')];
  await mkdir(to);
  for (const name of await readdir(from)) {
    const text = await readFile(join(from, name), 'utf8');
    const moved = text
      .replaceAll("'../../src/", "'../")
      .replace("const kind = 'postgresql'", "const kind = 'notebook'");
    await writeFile(join(to, name), moved);
  }
  await edit(join(project, 'libs/contracts/src/primitives.ts'), [["['postgresql']", "['postgresql', 'notebook']"]]);
  const line = '  postgresql: new PostgresqlEngine(),\n';
  const imports = "import { PostgresqlEngine } from './postgresql/postgresql-engine.js';\n";
  await edit(join(project, 'libs/engines/src/engines.ts'), [
    [line, `${line}  notebook: new NotebookEngine(),\n`],
    [imports, `${imports}import { NotebookEngine } from './notebook/notebook-engine.js';\n`],
  ]);
}

async function edit(path: string, changes: readonly [old: string, now: string][]): Promise<void> {
  let text = await readFile(path, 'utf8');
  for (const [old, now] of changes) {
    if (text.split(old).length !== 2) throw new Error(`${path} does not have ${JSON.stringify(old)} once`);
    text = text.replace(old, now);
  }
  await writeFile(path, text);
}

/** What the compiler reports: a place that lists the engines without the new one does not compile. */
async function typesOf(project: string): Promise<string> {
  await writeFile(
    join(project, 'tsconfig.types.json'),
    JSON.stringify({
      extends: './tsconfig.json',
      include: ['apps/*/src/**/*.ts', 'libs/*/src/**/*.ts'],
      // The console is a page in a browser, with types of its own.
      exclude: ['apps/console'],
    }),
  );
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  const asked = run(process.execPath, [tsc, '-p', 'tsconfig.types.json', '--noEmit'], { cwd: project });
  return asked.then(
    () => '',
    (error: unknown) => z.object({ stdout: z.string() }).parse(error).stdout,
  );
}

describe('a second engine', () => {
  let folder: string;
  let project: string;
  let types: string;
  let strongroom: Deployment;
  let api: AppProcess;
  let notebook: NotebookServer;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'strongroom-second-engine-'));
    project = join(folder, 'project');
    await mkdir(project);
    await projectWithNotebooks(project);
    const data = join(folder, 'notebook');
    await mkdir(data);
    await makeNotebook(data, { id: randomUUID(), user, password });
    notebook = await NotebookServer.start(data);
    const built = join(folder, 'built');
    await mkdir(built);
    [types] = await Promise.all([typesOf(project), run(process.execPath, [join(project, 'scripts/build.mjs')])]);
    const env = builtServersIn(built);
    strongroom = await Deployment.create({ feed: { kind: 'embedded' }, env, project });
    [api] = await strongroom.startAll();
  }, 300_000);
  afterAll(async () => {
    await strongroom?.remove();
    await notebook?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  async function notes(port: number, added?: string): Promise<string> {
    const headers = { authorization: authorization(user, password) };
    const asked = added === undefined ? { headers } : { method: 'POST', headers, body: added };
    return (await fetch(`http://127.0.0.1:${port}/notes`, asked)).text();
  }

  /** What the vault of a region has of a backup, byte for byte. */
  async function stored(backupId: string, region: string): Promise<Record<string, string>> {
    const vault = join(strongroom.vaults.folder, region);
    const paths = await readdir(vault, { recursive: true });
    const own = paths.filter((path) => path.includes(backupId) && /manifest\.json$|\.zst$/.test(path));
    const entries = own.map(async (path) => [basename(path), await readFile(join(vault, path), 'base64')] as const);
    return Object.fromEntries(await Promise.all(entries));
  }

  it('needs its folder, a value of the enum and a line: nothing else has a list of engines', () => {
    expect(types).toBe('');
  });

  it('has its servers registered, backed up, copied byte for byte, restored, built anew, and their backups deleted', async () => {
    await notes(notebook.port, 'one');
    const registered = await strongroom.client(api).send(postInstances, {
      body: {
        instance: {
          name: 'notes',
          datastore: { type: 'notebook', version },
          connection: { host: '127.0.0.1', port: notebook.port, user, password },
        },
      },
    });
    expect(registered.status).toBe(200);
    const { instance } = answered.parse(registered.body);
    expect(instance?.datastore).toEqual({ type: 'notebook', version });
    const instanceId = instance?.id ?? '';

    const full = await strongroom.backUp(api, instanceId, { copy_to: ['IAD', 'ORD'] });
    await strongroom.untilCopied(api, full);
    await notes(notebook.port, 'two');
    const incremental = await strongroom.backUp(api, instanceId, { incremental: true, copy_to: ['IAD', 'ORD'] });
    await strongroom.untilCopied(api, incremental);
    await notes(notebook.port, 'three');
    for (const backupId of [full, incremental]) {
      const home = await stored(backupId, 'DFW');
      expect(Object.keys(home).sort()).toEqual(['identity.zst', 'manifest.json', 'notes.zst']);
      for (const region of ['IAD', 'ORD']) expect(await stored(backupId, region)).toEqual(home);
    }

    const cli = join(project, 'dist/apps/cli/src/main.js');
    const to = join(folder, 'restored');
    const url = new URL(`file://${join(strongroom.vaults.folder, 'IAD')}`).href;
    const says = async (...call: string[]) => {
      const all = [cli, ...call, '--from', 'IAD', '--vault', `IAD=${url}`];
      return (await run(process.execPath, all, { cwd: folder })).stdout;
    };
    expect(await says('list')).toMatch(new RegExp(`^${incremental} +notes +incremental +${full} `, 'm'));
    expect(JSON.parse(await says('show', full))).toMatchObject({ datastore: { type: 'notebook', version } });
    expect(await says('verify', incremental, '--restore')).toMatch(
      /started on it; all \d+ tables of \d+ databases were read/,
    );
    const restored = await says('restore', incremental, '--to', to);
    expect(restored.trimEnd().split('\n').at(-1)).toBe(`  notebook ${to}`);
    expect(await readFile(join(to, 'notes'), 'utf8')).toBe('one\ntwo\n');

    const builtId = await strongroom.restore(api, full);
    const { port } = await strongroom.untilInstance(api, builtId, 'ACTIVE');
    expect(await notes(port ?? 0)).toBe('one\n');

    for (const backupId of [incremental, full]) {
      await strongroom.client(api).backups.delete(backupId);
      await eventually(
        async () => {
          for (const region of ['DFW', 'IAD', 'ORD']) expect(await stored(backupId, region)).toEqual({});
          expect((await strongroom.client(api).send(getBackupsId, { id: backupId })).status).toBe(404);
        },
        { withinMs: 60_000 },
      );
    }
  }, 180_000);
});
