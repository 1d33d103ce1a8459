/**
 * Makes one file of each program: what the compiler has made of it, of our libraries and of the packages that they use. Node finds and
 * compiles one file in half the time of two thousand. docs/decisions/0185-a-program-is-one-file.md has the figures.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { build } from 'esbuild';
import { mapOfOwnLines } from './map-of-own-lines.mjs';
import { withOwnNames } from './own-names.mjs';

/** Below dist/. Each takes the place of what the compiler has made of it, and no other file imports it. */
export const programs = [
  'apps/api/src/main.js',
  'apps/scheduler/src/main.js',
  'apps/replicator/src/main.js',
  'apps/cli/src/main.js',
  'apps/stack/src/main.js',
  'libs/engines/src/apart/engine-process.js',
];

/** What a program loads from node_modules when it needs it. The build fails at any other package that is not there. */
export const packagesApart = [
  // Native code.
  '@mongodb-js/zstd',
  // The SDK of an object store is loaded when there is a vault in one. An operator may add one to an image.
  '@aws-sdk/client-s3',
  '@azure/identity',
  '@azure/storage-blob',
  'google-auth-library',
  // They are loaded where traces are told to a collector.
  '@opentelemetry/exporter-trace-otlp-http',
  '@opentelemetry/resources',
  '@opentelemetry/sdk-trace',
];

/** Nest and its transports ask for these when they are used, and no program uses them. They are not installed. */
export const unused = [
  '@fastify/multipart',
  '@fastify/static',
  '@fastify/view',
  '@nats-io/transport-node',
  '@nestjs/platform-express',
  '@nestjs/websockets/socket-module.js',
  'amqp-connection-manager',
  'class-transformer',
  'class-validator',
  'ioredis',
  'mqtt',
];

const ours = ['apps', 'libs'];

/** What CommonJS finds in its own scope, for the packages that are written in it. */
const scopeOfCommonJs = [
  "import { createRequire as createRequireOfProgram } from 'node:module';",
  "import { join as joinInProgram } from 'node:path';",
  'const require = createRequireOfProgram(import.meta.url);',
].join('\n');

/** @param root the folder of the project, whose dist/ the compiler has filled @throws when a program can't be made */
export async function bundleAll(root) {
  const made = await Promise.all(programs.map((program) => bundle(root, program)));
  for (const { path, text, map } of made) {
    writeFileSync(path, text);
    writeFileSync(`${path}.map`, map);
  }
}

/** @returns the path of the program, its text, and its source map as text */
export async function bundle(root, program) {
  const path = join(root, 'dist', program);
  const folder = dirname(path);
  const { outputFiles, warnings } = await build({
    absWorkingDir: root,
    entryPoints: [path],
    outfile: path,
    write: false,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    // TypeORM, Nest and our errors take the names of classes, and two files may have one of the same name.
    keepNames: true,
    sourcemap: 'linked',
    sourcesContent: false,
    legalComments: 'none',
    external: [...packagesApart, ...unused],
    banner: { js: scopeOfCommonJs },
    plugins: [ownFolders(join(root, 'dist'), folder), typeOrmOfNest],
    logLevel: 'silent',
  });
  if (warnings.length > 0) throw new Error(`${program}: ${warnings.map(({ text }) => text).join('; ')}`);
  const [map, code] = outputFiles;
  // Packages bring maps too, which name sources that are not there.
  const isOurs = (source) => ours.some((room) => resolve(folder, source).startsWith(join(root, room, sep)));
  return {
    path,
    text: inAscii(withOwnNames(code.text)),
    map: JSON.stringify(mapOfOwnLines(JSON.parse(map.text), isOurs)),
  };
}

/**
 * V8 keeps the text of a program, and one letter beyond Latin 1 makes it take two bytes for each. What esbuild has left are comments, where an
 * escape tells the same letter, and regular expressions, where it means the same.
 */
function inAscii(text) {
  return text.replace(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** A file that looks for others beside it finds them where the compiler has put them. @param folder of the program */
function ownFolders(dist, folder) {
  return {
    name: 'own-folders',
    setup({ onLoad }) {
      onLoad({ filter: /[\\/]dist[\\/](apps|libs)[\\/].*\.js$/ }, ({ path }) => {
        if (!path.startsWith(join(dist, sep))) return undefined;
        const text = readFileSync(path, 'utf8');
        if (!text.includes('import.meta.')) return undefined;
        const way = JSON.stringify(relative(folder, dirname(path)).split(sep).join('/'));
        return { contents: text.replaceAll('import.meta.dirname', `joinInProgram(import.meta.dirname, ${way})`) };
      });
    },
  };
}

/** It asks TypeORM for what former versions had, in a way that would load all of TypeORM a second time. */
export const typeOrmOfNest = {
  name: 'typeorm-of-nest',
  setup({ onLoad }) {
    onLoad({ filter: /@nestjs[\\/]typeorm[\\/].*[\\/]typeorm-compat\.js$/ }, ({ path }) => {
      const text = readFileSync(path, 'utf8');
      const apart = 'const require = createRequire(import.meta.url);';
      if (!text.includes(apart)) throw new Error(`${path} has no "${apart}" any more: see what it does instead`);
      return { contents: text.replace(apart, '') };
    });
  },
};
