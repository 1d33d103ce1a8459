/** The list of parts that a release has with it, as the workflows make it. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { z } from 'zod';

const root = join(__dirname, '..');
const textOf = (...path: string[]) => readFileSync(join(root, ...path), 'utf8');
const list = z.looseObject({
  bomFormat: z.literal('CycloneDX'),
  components: z.array(z.looseObject({ name: z.string(), version: z.string(), hashes: z.array(z.unknown()).min(1) })),
});
const locked = z.looseObject({
  packages: z.record(z.string(), z.looseObject({ version: z.string().optional(), dev: z.boolean().default(false) })),
});
const manifest = z.looseObject({
  dependencies: z.record(z.string(), z.string()),
  devDependencies: z.record(z.string(), z.string()),
});

it('lists each package of the services with its digest, and nothing that is only for development', () => {
  const workflows = readdirSync(join(root, '.github', 'workflows')).map((name) => textOf('.github', 'workflows', name));
  const making = workflows.filter((text) => text.includes('run: npm run --silent sbom > strongroom.cdx.json\n'));
  expect(making).toHaveLength(2);
  const text = execFileSync('npm', ['run', '--silent', 'sbom'], { cwd: root, encoding: 'utf8' });
  const parts = list.parse(JSON.parse(text)).components.map(({ name, version }) => `${name}@${version}`);
  const { '': _own, ...packages } = locked.parse(JSON.parse(textOf('package-lock.json'))).packages;
  const used = Object.entries(packages).filter(([, { dev }]) => !dev);
  const names = used.map(([path, { version }]) => `${path.split('node_modules/').at(-1)}@${version}`);
  expect([...new Set(parts)].sort()).toEqual([...new Set(names)].sort());
  const { dependencies, devDependencies } = manifest.parse(JSON.parse(textOf('package.json')));
  const named = (all: Record<string, string>) => Object.entries(all).map(([name, version]) => `${name}@${version}`);
  expect(parts).toEqual(expect.arrayContaining(named(dependencies)));
  expect(parts.filter((part) => named(devDependencies).includes(part))).toEqual([]);
}, 60_000);
