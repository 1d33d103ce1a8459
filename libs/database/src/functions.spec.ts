import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import type { InstalledFunctions } from './functions.js';
import { migrations } from './migrations.js';

const folder = join(__dirname, 'functions');
const names = readdirSync(folder).map((file) => file.replace(/\.sql$/, ''));
const textOf = (name: string) => readFileSync(join(folder, `${name}.sql`), 'utf8');
const digestOf = (text: string) => createHash('sha256').update(text).digest('hex');

/** What to do about each function whose text is not the one that its newest migration names. */
function notInstalled(texts: Record<string, string>, installs: InstalledFunctions[]): string[] {
  const newest: InstalledFunctions = Object.assign({}, ...installs);
  return Object.entries(texts)
    .filter(([name, text]) => newest[name] !== digestOf(text))
    .map(([name, text]) => `add a migration that installs ${name}: '${digestOf(text)}'`);
}

describe('the functions in files', () => {
  const installs = migrations.flatMap((migration) => ('installs' in migration ? [migration.installs] : []));

  it('are installed by a migration, each in the form that it has', () => {
    expect(names.length).toBeGreaterThan(2);
    const texts = Object.fromEntries(names.map((name) => [name, textOf(name)]));
    expect(notInstalled(texts, installs)).toEqual([]);
  });

  it('are missing in the migrations when one is new, or was changed after its migration', () => {
    const told = notInstalled({ ledger_append: 'changed', brand_new: 'new' }, installs);
    expect(told).toEqual([
      `add a migration that installs ledger_append: '${digestOf('changed')}'`,
      `add a migration that installs brand_new: '${digestOf('new')}'`,
    ]);
  });

  it.each(names)('%s opens with a comment and replaces its earlier form', (name) => {
    expect(textOf(name)).toMatch(new RegExp(`^-- [A-Z][^\\n]+\\n(--[^\\n]*\\n)+create or replace function ${name}\\(`));
  });
});
