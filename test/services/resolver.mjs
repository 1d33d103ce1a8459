/**
 * Where Jest finds a module of ours: the aliases of `tsconfig.json`, and the `.ts` behind an import of `.js`. Jest keeps for all files
 * of a worker what a resolver has found. What a `moduleNameMapper` maps, it looks for again in each file, three times for each import.
 */
import { readFileSync } from 'node:fs';
import { sep } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = new URL('../../', import.meta.url);
const { compilerOptions } = JSON.parse(readFileSync(new URL('tsconfig.json', root), 'utf8'));
const aliases = new Map(
  Object.entries(compilerOptions.paths).map(([alias, [file]]) => [alias, fileURLToPath(new URL(file, root))]),
);
const packages = `${sep}node_modules${sep}`;

export default function resolve(name, options) {
  const aliased = aliases.get(name);
  if (aliased !== undefined) return aliased;
  const isOurs = name.startsWith('.') && !options.basedir.includes(packages);
  return options.defaultResolver(isOurs ? name.replace(/\.js$/, '') : name, options);
}
