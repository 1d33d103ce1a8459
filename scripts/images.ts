/**
 * The images of other makers, and their digests. `npm run images lock` asks the registries, by Docker, for the digests of now, and
 * writes them into docker/images.json, the Dockerfile and docker-compose.yml. `npm run images check` fails while one has none.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { imageProblems, withDigests, withoutDigest } from './pins.js';

const pathOf = (name: string) => join(__dirname, '..', name);
const files = ['Dockerfile', 'docker-compose.yml'];
const lockFile = pathOf('docker/images.json');
const lock = z.record(z.string(), z.string().nullable()).parse(JSON.parse(readFileSync(lockFile, 'utf8')));

const task = process.argv.at(-1);
if (task === 'lock') {
  for (const image of Object.keys(lock)) {
    const asked = ['buildx', 'imagetools', 'inspect', image, '--format', '{{.Manifest.Digest}}'];
    lock[image] = execFileSync('docker', asked, { encoding: 'utf8' }).trim();
    process.stdout.write(`${image} ${lock[image]}\n`);
  }
  for (const name of files) writeFileSync(pathOf(name), withDigests(readFileSync(pathOf(name), 'utf8'), lock));
  writeFileSync(lockFile, `${JSON.stringify(lock, null, 2)}\n`);
} else if (task === 'check') {
  const open = withoutDigest(lock).map((image) => `${image} has no digest: npm run images lock`);
  const problems = [
    ...imageProblems(
      files.map((name) => readFileSync(pathOf(name), 'utf8')),
      lock,
    ),
    ...open,
  ];
  for (const problem of problems) process.stderr.write(`${problem}\n`);
  if (problems.length > 0) process.exit(1);
} else {
  process.stderr.write('npm run images lock, or npm run images check\n');
  process.exit(2);
}
