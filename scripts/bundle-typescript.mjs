/**
 * Makes one file of a TypeScript program that was not built, with our libraries and the packages that they use:
 * `node bundle-typescript.mjs program.ts one-file.cjs`. It is for a spec that starts the same program many times: the file starts in a third
 * of the time of `run-typescript.cjs`.
 */
import { readFileSync } from 'node:fs';
import { dirname, join, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { transformSync } from '@swc/core';
import { build } from 'esbuild';
import { packagesApart, typeOrmOfNest, unused } from './bundle.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const rooms = ['apps', 'libs', 'test'].map((room) => join(root, room, sep));

/** esbuild does not tell Nest and TypeORM of the types that decorators need. A file finds what lies beside its source. */
const ours = {
  name: 'ours',
  setup({ onLoad }) {
    onLoad({ filter: /\.ts$/ }, ({ path }) => {
      if (!rooms.some((room) => path.startsWith(room))) return undefined;
      const { code } = transformSync(readFileSync(path, 'utf8'), {
        filename: path,
        jsc: {
          target: 'es2022',
          parser: { syntax: 'typescript', decorators: true },
          transform: { legacyDecorator: true, decoratorMetadata: true },
        },
        module: { type: 'es6' },
      });
      return { contents: code.replaceAll('import.meta.dirname', JSON.stringify(dirname(path))) };
    });
  },
};

const [program, outfile] = process.argv.slice(2).map((path) => resolve(path));
await build({
  absWorkingDir: root,
  tsconfig: join(root, 'tsconfig.json'),
  entryPoints: [program],
  outfile,
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'node20',
  keepNames: true,
  external: [...packagesApart, ...unused],
  plugins: [ours, typeOrmOfNest],
  logLevel: 'error',
  logOverride: { 'empty-import-meta': 'silent' },
});
