/** Builds everything into dist/ and keeps a digest of the sources there: `node scripts/build.mjs [--if-stale]`. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';

const root = fileURLToPath(new URL('..', import.meta.url));
const stamp = join(root, 'dist', '.built-of');
/** The migrations read SQL files when they run. */
const functions = join('libs', 'database', 'src', 'functions');
/** What the API serves as it is. The build makes it, also for an API that runs from its sources. */
const served = join('apps', 'api', 'public');

/** The scripts of a build, this one among them. The image is made by the same ones: `.dockerignore`. */
export const scriptsOfBuild = [
  'build.mjs',
  'bundle.mjs',
  'console.mjs',
  'map-of-own-lines.mjs',
  'own-names.mjs',
  'reference.mjs',
];

/** The lock file is one of them: packages are part of the programs. */
const sources = [
  ...['apps', 'libs', 'package.json', 'package-lock.json', 'nest-cli.json', 'tsconfig.json'],
  ...scriptsOfBuild.map((name) => join('scripts', name)),
];

/** One digest of the names and contents of all that the build is made of. */
function digestOfSources() {
  const hash = createHash('sha256');
  const add = (path) => {
    if (path === served) return;
    if (statSync(join(root, path)).isDirectory()) {
      for (const name of readdirSync(join(root, path)).sort()) add(join(path, name));
    } else hash.update(path).update(readFileSync(join(root, path)));
  };
  for (const path of sources) add(path);
  return hash.digest('hex');
}

export function isBuilt() {
  return existsSync(stamp) && readFileSync(stamp, 'utf8') === digestOfSources();
}

/** A process keeps the map of each file that it has loaded. The lines of a stack trace need no copy of the sources in it. */
function leaveSourcesOutOfMaps() {
  const folder = join(root, 'dist');
  for (const name of readdirSync(folder, { recursive: true })) {
    if (!name.endsWith('.js.map')) continue;
    const { sourcesContent: _, ...map } = JSON.parse(readFileSync(join(folder, name), 'utf8'));
    writeFileSync(join(folder, name), JSON.stringify(map));
  }
}

export async function build() {
  const digest = digestOfSources();
  rmSync(join(root, 'dist'), { recursive: true, force: true });
  const nest = join(root, 'node_modules', '@nestjs', 'cli', 'bin', 'nest.js');
  const child = spawn(process.execPath, [nest, 'build', '--all'], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (chunk) => (text += chunk));
  const how = await new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, by) =>
      resolve(by ? `was ended by ${by}` : code === 0 ? undefined : `ended with ${code}`),
    );
  });
  if (how !== undefined) throw new Error(`the build failed (${how}):\n${stripVTControlCharacters(text)}`);
  leaveSourcesOutOfMaps();
  // The compiler copies nothing but TypeScript.
  cpSync(join(root, functions), join(root, 'dist', functions), { recursive: true });
  // Whoever asks only whether there is a build has not installed the packages yet.
  const { bundleAll } = await import('./bundle.mjs');
  const { buildConsole } = await import('./console.mjs');
  const { referenceScript } = await import('./reference.mjs');
  await bundleAll(root);
  await buildConsole(root, join(root, served, 'console'));
  mkdirSync(join(root, served), { recursive: true });
  writeFileSync(join(root, served, 'reference.js.gz'), await referenceScript());
  cpSync(join(root, served), join(root, 'dist', served), { recursive: true });
  writeFileSync(stamp, digest);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (!process.argv.includes('--if-stale') || !isBuilt()) await build();
}
