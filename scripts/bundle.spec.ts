import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { transform } from '@swc/core';

const run = promisify(execFile);
const script = join(__dirname, 'bundle.mjs');
const program = 'apps/teller/src/main.js';
let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'strongroom-bundle-'));
});
afterEach(() => rm(root, { recursive: true, force: true }));

async function write(path: string, text: string): Promise<void> {
  await mkdir(dirname(join(root, path)), { recursive: true });
  await writeFile(join(root, path), text);
}

/** Compiles a file as the build does, with its map beside it. */
async function compile(path: string, source: string): Promise<void> {
  const sourceFileName = `${'../'.repeat(path.split('/').length)}${path}`;
  const { code, map } = await transform(source, {
    filename: path,
    sourceFileName,
    sourceMaps: true,
    jsc: { target: 'es2022', parser: { syntax: 'typescript' } },
  });
  const built = join('dist', path.replace(/ts$/, 'js'));
  await write(`${built}.map`, map ?? '');
  await write(built, `${code}\n//# sourceMappingURL=main.js.map\n`.replace('main.js', built.split('/').at(-1) ?? ''));
}

/** Makes one file of the program, takes away all that it was made of, and runs it. */
async function told(): Promise<string> {
  const ask = `import { bundle } from ${JSON.stringify(script)}; import { rmSync, mkdirSync, writeFileSync } from 'node:fs'; import { dirname } from 'node:path';
    const { path, text, map } = await bundle(${JSON.stringify(root)}, ${JSON.stringify(program)});
    for (const room of ['dist/apps', 'node_modules']) rmSync(${JSON.stringify(root)} + '/' + room, { recursive: true, force: true });
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    writeFileSync(path + '.map', map);`;
  await run(process.execPath, ['--input-type=module', '-e', ask]);
  const { stdout } = await run(process.execPath, ['--enable-source-maps', join(root, 'dist', program)]);
  return stdout;
}

describe('a program in one file', () => {
  beforeEach(() => write('package.json', JSON.stringify({ type: 'module' })));

  it('tells the lines of our sources in the stack of an error, and no line of ours for what a package did', async () => {
    await write('node_modules/caller/package.json', JSON.stringify({ name: 'caller', main: 'index.js' }));
    await write(
      'node_modules/caller/index.js',
      'exports.callOfPackage = function callOfPackage(what) {\n  return what();\n};\n',
    );
    await compile(
      'libs/vault/src/fail.ts',
      [
        '/** Fails. */',
        '',
        'interface Why {',
        '  why: string;',
        '}',
        '',
        'export function fail({ why }: Why): never {',
        '  throw new Error(why);',
        '}',
        '',
      ].join('\n'),
    );
    await compile(
      'apps/teller/src/main.ts',
      [
        "import { callOfPackage } from 'caller';",
        "import { fail } from '../../../libs/vault/src/fail.js';",
        '',
        'try {',
        '  callOfPackage(() => fail({',
        "    why: 'it is full',",
        '  }));',
        '} catch (error) {',
        '  console.log(error.stack);',
        '}',
        '',
      ].join('\n'),
    );
    const frames = (await told()).split('\n');
    expect(frames[0]).toBe('Error: it is full');
    expect(frames[1]).toMatch(/at fail .*\/libs\/vault\/src\/fail\.ts:8:/);
    expect(frames[2]).toMatch(/\/apps\/teller\/src\/main\.ts:5:/);
    expect(frames[3]).toMatch(/callOfPackage .*\/dist\/apps\/teller\/src\/main\.js:\d+:/);
    expect(frames[4]).toMatch(/\/apps\/teller\/src\/main\.ts:5:/);
  }, 60_000);

  it('gives two classes of the same name that name', async () => {
    await compile(
      'libs/vault/src/fault.ts',
      'export class Fault extends Error {\n  constructor() {\n    super();\n    this.name = new.target.name;\n  }\n}\n',
    );
    await compile(
      'apps/teller/src/main.ts',
      "import { Fault as Other } from '../../../libs/vault/src/fault.js';\nclass Fault extends Other {}\nconsole.log(new Fault().name, new Other().name);\n",
    );
    expect(await told()).toBe('Fault Fault\n');
  }, 60_000);

  it('finds the files beside its sources where the compiler has put them', async () => {
    await write('dist/libs/database/src/functions/next.sql', 'select 1');
    await compile(
      'libs/database/src/functions.ts',
      "import { readFileSync } from 'node:fs';\nimport { join } from 'node:path';\nexport const text = readFileSync(join(import.meta.dirname, 'functions', 'next.sql'), 'utf8');\n",
    );
    await compile(
      'apps/teller/src/main.ts',
      "import { text } from '../../../libs/database/src/functions.js';\nconsole.log(text);\n",
    );
    expect(await told()).toBe('select 1\n');
  }, 60_000);

  it('is ASCII, and means the same', async () => {
    await write('node_modules/caller/package.json', JSON.stringify({ name: 'caller', main: 'index.js' }));
    await write(
      'node_modules/caller/index.js',
      "exports.found = function found(text) {\n  // Letters beyond Latin 1 — such as “…” — and one of two units: 🔑.\n  return [/^[…🔑]+$/u.test(text), '…🔑' === text, '…'.concat(text)];\n};\n",
    );
    await compile(
      'apps/teller/src/main.ts',
      "import { readFileSync } from 'node:fs';\nimport { found } from 'caller';\nconst text = readFileSync(new URL(import.meta.url), 'utf8');\nconsole.log(...found('…🔑'), text.includes('Letters beyond'), /^[\\0-\\x7f]*$/.test(text));\n",
    );
    expect(await told()).toBe('true true ……🔑 true true\n');
  }, 60_000);

  it('is not made when a package is missing', async () => {
    await compile('apps/teller/src/main.ts', "import { gone } from 'a-package-that-is-gone';\ngone();\n");
    await expect(told()).rejects.toThrow('a-package-that-is-gone');
  }, 60_000);
});

it('the image is given every script that a build is made with', async () => {
  const ask = `import { scriptsOfBuild } from ${JSON.stringify(join(__dirname, 'build.mjs'))}; console.log(scriptsOfBuild.join(' '));`;
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', ask]);
  const ignored = await readFile(join(__dirname, '..', '.dockerignore'), 'utf8');
  const given = [...ignored.matchAll(/^!scripts\/(\S+)$/gm)].map(([, name]) => name);
  expect(given.sort()).toEqual(stdout.trim().split(' ').sort());
});
