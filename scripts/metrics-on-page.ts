/** Reads which metrics the page of operations has, and which the sources declare. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type DeclaredMetric, metricsIn } from './metrics-page.js';

/** The metrics that the page's table has. A name that begins with `…` ends as it says and begins as the one before it. */
export function metricsOn(page: string): string[] {
  const cells = page.match(/^\| `strongroom_[^|]+\|/gm) ?? [];
  return cells.flatMap((cell) => {
    let before = '';
    return [...cell.matchAll(/`(…?)([a-z_]+)/g)].map(([, isShort, name = '']) => {
      before = isShort ? before.replace(/_[a-z]+$/, name) : name;
      return before;
    });
  });
}

/** Every metric of the apps and libraries. @param root the folder of the project */
export function metricsOfSources(root: string): DeclaredMetric[] {
  return ['apps', 'libs'].flatMap((room) =>
    readdirSync(join(root, room), { recursive: true, encoding: 'utf8' })
      .filter((path) => /^[^/]+\/src\/.*\.ts$/.test(path) && !/\.(spec|contract)\.ts$/.test(path))
      .map((path) => join(room, path))
      .sort()
      .flatMap((path) => metricsIn(path, readFileSync(join(root, path), 'utf8'))),
  );
}
