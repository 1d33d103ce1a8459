/**
 * Makes the console's files: its page, its script and its styles, all of our own origin. The contract gives it the methods and the paths of the
 * operations, and the types; its schemas are not for browsers. docs/decisions/0212-the-console-is-a-page-of-the-api.md tells why.
 */
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';

/** All that a browser loads to show the console, compressed, in bytes. */
export const consoleBudgetBytes = 60 * 1_024;

/**
 * @param root the folder of the project, whose dist/ the compiler has filled
 * @param folder where the files go. Its page is `index.html`; what the page names lies in `assets`, compressed by gzip
 * @throws when the files are larger together than a console may be
 */
export async function buildConsole(root, folder) {
  const { build } = await import('vite');
  const contract = await import(pathToFileURL(join(root, 'dist/libs/contracts/src/index.js')).href);
  const { NODE_ENV: before } = process.env;
  await build({
    root: join(root, 'apps/console'),
    configFile: false,
    envDir: false,
    base: './',
    logLevel: 'warn',
    publicDir: false,
    plugins: [pathsOfOperations(contract)],
    oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
    // What browsers of the last two years know.
    build: {
      outDir: folder,
      emptyOutDir: true,
      target: 'es2023',
      cssTarget: 'chrome123',
      modulePreload: false,
      assetsInlineLimit: 0,
    },
  });
  // Vite sets it for the whole process. The tests and the services that this process starts are not to have it.
  if (before === undefined) delete process.env.NODE_ENV;
  else process.env.NODE_ENV = before;
  return compressAll(join(folder, 'assets'));
}

/**
 * Compresses each file in its place. @returns their size together, compressed, in bytes
 * @throws when that is more than a console may have
 */
export function compressAll(folder) {
  let bytes = 0;
  for (const name of readdirSync(folder)) {
    const compressed = gzipSync(readFileSync(join(folder, name)), { level: 9 });
    bytes += compressed.length;
    writeFileSync(join(folder, `${name}.gz`), compressed);
    rmSync(join(folder, name));
  }
  if (bytes > consoleBudgetBytes) {
    throw new Error(`the console has ${bytes} bytes, compressed, and may have ${consoleBudgetBytes}`);
  }
  return bytes;
}

/** In the place of the contract: a value for each operation, without its schemas. What is not used is left out of the script. */
function pathsOfOperations({ operations, eventTypes }) {
  const name = '@strongroom/contracts';
  const own = `\0${name}`;
  const lines = operations.map((each) => {
    const { method, path } = each;
    return `export const ${each.name} = ${JSON.stringify({ method, path })};`;
  });
  return {
    name: 'paths-of-operations',
    enforce: 'pre',
    resolveId: (id) => (id === name ? own : undefined),
    load: (id) =>
      id === own ? [...lines, `export const eventTypes = ${JSON.stringify(eventTypes)};`].join('\n') : undefined,
  };
}
