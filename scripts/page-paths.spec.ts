import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { missingHeadings, missingPaths, type Page } from './page-paths.js';

const root = join(__dirname, '..');
const skipped = /^(dist|\.git|\.strongroom)(\/|$)|(^|\/)node_modules(\/|$)/;

function filesUnder(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (skipped.test(relative(root, path))) return [];
    return entry.isDirectory() ? filesUnder(path) : [relative(root, path)];
  });
}

describe('the pages', () => {
  const files = filesUnder(root);
  const pageAt = (path: string): Page => ({ path, text: readFileSync(join(root, path), 'utf8') });
  const decisions = files.filter((path) => /^docs\/decisions\/\d/.test(path)).map(pageAt);

  it('name no file that is not there', () => {
    // docs/contract.md is written by the run of the tests that it names.
    const paths = files.filter((path) =>
      /^([A-Z]+|docs\/(?!contract)[a-z-]+|test\/README|bench\/README)\.md$/.test(path),
    );
    expect(paths).toEqual(expect.arrayContaining(['README.md', 'ARCHITECTURE.md', 'docs/recipes.md']));
    // A superseded decision may name what is gone.
    const inForce = decisions.filter(({ text }) => /^Status: accepted/m.test(text));
    expect(inForce.length).toBeGreaterThan(10);
    const missing = [...paths.map(pageAt), ...inForce].flatMap((page) =>
      missingPaths(page, files).map((path) => `${page.path}: ${path}`),
    );
    expect(missing).toEqual([]);
  });

  it('link to no heading that is not there', () => {
    const paths = files.filter((path) => path.endsWith('.md'));
    const textOf = (path: string) => (paths.includes(path) ? pageAt(path).text : undefined);
    const missing = paths
      .map(pageAt)
      .flatMap((page) => missingHeadings(page, textOf).map((heading) => `${page.path}: ${heading}`));
    expect(missing).toEqual([]);
  });

  it('of decisions each say whether they are in force', () => {
    const status = /^# \d+\. .+\n\nStatus: (accepted|superseded by|partly superseded by)\b/;
    expect(decisions.filter(({ text }) => !status.test(text)).map(({ path }) => path)).toEqual([]);
  });
});

describe('a page', () => {
  const files = ['libs/ledger/src/execute.ts', 'apps/api/src/schedules/routes.ts', 'docs/operations.md', 'README.md'];
  const missing = (text: string, path = 'docs/page.md') => missingPaths({ path, text }, files);

  it('may name a file whole, by its end, by a pattern, and a folder', () => {
    expect(missing('`libs/ledger/src/execute.ts`, `execute.ts`, `schedules/routes.ts`, `libs/ledger`')).toEqual([]);
    expect(missing('`apps/api/src/<noun>/routes.ts`, `apps/*/src/`, [here](operations.md#growing)')).toEqual([]);
  });

  it('is found to name what is gone', () => {
    expect(missing('`libs/ledger/src/gone.ts`, `gone.ts`, `libs/gone`, `src/execute.tsx`')).toEqual([
      'libs/ledger/src/gone.ts',
      'gone.ts',
      'libs/gone',
    ]);
    expect(missing('[here](gone.md), [there](../README.md), [elsewhere](https://example.com/gone.md)')).toEqual([
      'docs/gone.md',
    ]);
  });

  it('is found to link to a heading that is gone, in itself or elsewhere', () => {
    const text =
      '# One\n\n## What holds, and `why`\n\n[a](#what-holds-and-why) [b](#gone) [c](x.md#two) [d](x.md#gone)';
    const textOf = (path: string) => (path === 'docs/x.md' ? '## Two\n' : undefined);
    expect(missingHeadings({ path: 'docs/page.md', text }, textOf)).toEqual(['#gone', 'x.md#gone']);
  });

  it('names a file by the end of its path, not of its name', () => {
    expect(missing('`cute.ts`')).toEqual(['cute.ts']);
  });

  it('may write what is no path as code', () => {
    expect(missing('`GET /backups/{id}`, `npm run check`, `and/or`, `pg_hba.conf`')).toEqual([]);
  });
});
