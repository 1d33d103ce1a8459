import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { build } from 'esbuild';

const run = promisify(execFile);
const script = join(__dirname, 'own-names.mjs');

/** Names in all the ways in which a function gets one; some texts look like the end of a call that gives one. */
const sources = {
  'main.js': `
    import { check as other, Fault as Other } from './other.js';
    class Fault extends Error {}
    const check = (text) => text.includes(', "check")');
    const tell = (...all) => console.log(...all.map(({ name }) => name));
    function around(given) {
      function declared() { return given; }
      const arrow = (text = ', "arrow")') => [text, 'arrow'].join(', "arrow"');
      const inner = (more) => { const arrow = () => more; return [arrow, "inner"]; };
      const fields = { method() {}, async field(text) { return text; }, given: async () => given, 'quoted-name': () => 1 };
      let late; late = function () {};
      const [byDefault = () => 1] = [];
      const named = function named() { return named; };
      class Local { #own = 1; own = () => this.#own; }
      tell(declared, arrow, ...inner(1).slice(0, 1), inner, ...Object.values(fields), late, byDefault, named, Local, new Local().own);
      return function returned() {};
    }
    tell(around(1), around, check, other, Fault, Other, other(1), (() => {}));
  `,
  'other.js': `
    export class Fault extends Error {}
    export const check = (given) => { const check = () => given; return check; };
  `,
};

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'strongroom-own-names-'));
  for (const [name, text] of Object.entries(sources)) await writeFile(join(folder, name), text);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function told(program: string): Promise<string> {
  await writeFile(join(folder, 'program.mjs'), program);
  return (await run(process.execPath, [join(folder, 'program.mjs')])).stdout;
}

it('functions have the names of their sources, and those that JavaScript names by itself are not named again', async () => {
  const entryPoints = [join(folder, 'main.js')];
  const { outputFiles } = await build({ entryPoints, bundle: true, write: false, keepNames: true, format: 'esm' });
  await writeFile(join(folder, 'bundled.txt'), outputFiles[0]?.text ?? '');
  const ask = `import { withOwnNames } from ${JSON.stringify(script)}; import { readFileSync } from 'node:fs';
    process.stdout.write(withOwnNames(readFileSync(${JSON.stringify(join(folder, 'bundled.txt'))}, 'utf8')));`;
  const { stdout: program } = await run(process.execPath, ['--input-type=module', '-e', ask]);

  const names = await told(program);
  expect(names).toBe(await told(outputFiles[0]?.text ?? ''));
  expect(names.split('\n')[0]).toMatch(
    /^declared arrow arrow inner method field given quoted-name late byDefault named Local own$/,
  );
  // Of those that are given to a name, two have another name in the program, and one can't be told apart from its class.
  const left = program.split('\n').filter((line) => line.includes('__name('));
  const given = left.flatMap((line) => /([\w$]+) = .*__name\(.*, "([\w$]+)"\)/.exec(line) ?? []);
  expect(given.filter((name, at) => at % 3 === 1 && name === given[at + 1])).toEqual(['own']);
  expect(left.length).toBeLessThanOrEqual((outputFiles[0]?.text ?? '').split('__name(').length / 2);
  expect(program.split('\n')).toHaveLength((outputFiles[0]?.text ?? '').split('\n').length);
});
