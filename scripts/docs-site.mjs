/**
 * `npm run docs:site`: builds the documents as a site, into docs/site/.vitepress/dist, and fails when a link leads nowhere. What it is
 * built with is a package of its own, which is installed at the first time. `npm run docs:site -- --show` serves it, and shows each change.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { deadLinks } from './site-links.mjs';

const site = fileURLToPath(new URL('../docs/site', import.meta.url));

/** The program, by its package's lock file. */
const isInstalled = () => {
  const at = (...path) => join(site, ...path);
  const own = at('node_modules', 'vitepress', 'package.json');
  if (!existsSync(own)) return false;
  const { version } = JSON.parse(readFileSync(own, 'utf8'));
  return version === JSON.parse(readFileSync(at('package.json'), 'utf8')).devDependencies.vitepress;
};

/** Runs a program in the package of the site. It ends this program when it fails. */
function run(program, ...args) {
  const { status } = spawnSync(program, args, { cwd: site, stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}

const vitepress = join(site, 'node_modules', 'vitepress', 'bin', 'vitepress.js');
if (!isInstalled()) run('npm', 'ci');
if (process.argv.includes('--show')) {
  run(process.execPath, vitepress, 'dev', '.');
} else {
  run(process.execPath, vitepress, 'build', '.');
  const dead = await deadLinks(join(site, '.vitepress', 'dist'));
  if (dead.length > 0) {
    console.error(`These links lead nowhere:\n${dead.map((line) => `  ${line}`).join('\n')}`);
    process.exit(1);
  }
  console.log('Every link of the site leads somewhere.');
}
