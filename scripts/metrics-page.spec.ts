import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { metricsOn } from './metrics-on-page.js';

const root = join(__dirname, '..');

/** The names of metrics in the source of an app or a library: they are all written as one literal. */
function metricsIn(source: string): string[] {
  return [...source.matchAll(/'(strongroom_[a-z]+(?:_[a-z]+)*)',$/gm)].map(([, name = '']) => name);
}

const names = ['apps', 'libs'].flatMap((room) =>
  readdirSync(join(root, room), { recursive: true, encoding: 'utf8' })
    .filter((path) => /^[^/]+\/src\/.*\.ts$/.test(path) && !/\.(spec|contract)\.ts$/.test(path))
    .flatMap((path) => metricsIn(readFileSync(join(root, room, path), 'utf8'))),
);

describe('the metrics', () => {
  const page = metricsOn(readFileSync(join(root, 'docs', 'operations.md'), 'utf8'));

  it('of the code are all on the page of operations, and the page has no other', () => {
    expect(names.length).toBeGreaterThan(20);
    expect([...new Set(page)].sort()).toEqual([...new Set(names)].sort());
  });

  it('of a table are read with their short forms', () => {
    expect(metricsOn('| `strongroom_lag_events{topic}`, `…_seconds` | a |\n| `other` | `strongroom_b` |')).toEqual([
      'strongroom_lag_events',
      'strongroom_lag_seconds',
    ]);
  });

  it('of a source are told from other names', () => {
    const source = "  name: 'strongroom_lag_events',\n  `strongroom_chain_1`,\n  notify('strongroom_ledger', '')";
    expect(metricsIn(source)).toEqual(['strongroom_lag_events']);
  });
});
