import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';

const folder = join(__dirname, 'migrations');
/** These have landed and are never edited. They ran while ledgers were small. */
const landed = 23;
/** From here on, a migration alters the ledger so that older processes go on beside it. */
const brieflyFrom = 57;
const textOf = (file: string) => readFileSync(join(folder, file), 'utf8');

/** What a migration must not do to the table that every append writes, with what to do instead. */
const blocking: [RegExp, string][] = [
  [
    /create\s+(unique\s+)?index\s+(?!concurrently\b)[^;]*?\bon\s+(only\s+)?(\w+\.)?ledger_event\b/i,
    'makes an index without CONCURRENTLY',
  ],
  [
    /(reindex\s+(table|index)\s+(?!concurrently\b)|cluster\s+|vacuum\s+full\s+)[^;]*ledger_event/i,
    'writes the table anew',
  ],
  [
    /alter\s+table\s+(only\s+)?(\w+\.)?ledger_event\b[^;]*\balter\s+(column\s+)?\w+\s+(set\s+not\s+null|set\s+data\s+type|type\s)/i,
    'reads or writes every row',
  ],
  [
    /alter\s+table\s+(only\s+)?(\w+\.)?ledger_event\b(?![^;]*not\s+valid)[^;]*\badd\s+(constraint|check|foreign|unique|primary)/i,
    'adds a constraint without NOT VALID',
  ],
  [/update\s+(only\s+)?(\w+\.)?ledger_event\b/i, 'updates events'],
];

function blockingIn(sql: string): string[] {
  return blocking.flatMap(([pattern, why]) => (pattern.test(sql) ? [why] : []));
}

describe('a migration', () => {
  it('keeps no append waiting: it changes ledger_event only in ways that an old process beside it does not notice', () => {
    const newer = readdirSync(folder).filter((file) => Number.parseInt(file, 10) >= landed);
    expect(newer.length).toBeGreaterThan(0);
    for (const file of newer) {
      expect([file, ...blockingIn(readFileSync(join(folder, file), 'utf8'))]).toEqual([file]);
    }
  });

  it('takes the ledger briefly before it alters it: what waits for the table would keep every append waiting', () => {
    const altering = readdirSync(folder).filter(
      (file) => Number.parseInt(file, 10) >= brieflyFrom && /alter\s+table\s+ledger_event\b/i.test(textOf(file)),
    );
    expect(altering).toContain('0058-ledger-links.ts');
    for (const file of altering) {
      const [before, altered] = textOf(file).split(/alter\s+table\s+ledger_event\b/i);
      expect([file, before, altered]).toEqual([
        file,
        expect.stringContaining('await lockLedgerBriefly(run);'),
        altered,
      ]);
    }
  });

  it('is told by its landed ones, of which one made an index so', () => {
    expect(blockingIn(readFileSync(join(folder, '0007-limits.ts'), 'utf8'))).toEqual([
      'makes an index without CONCURRENTLY',
    ]);
  });

  it.each([
    'create index if not exists a on ledger_event (type)',
    'CREATE UNIQUE INDEX a ON public.ledger_event (id)',
    'reindex table ledger_event',
    'alter table ledger_event alter column type set not null',
    'alter table ledger_event alter column version type bigint',
    "alter table ledger_event add constraint c check (type <> '')",
    "update ledger_event set type = ''",
  ])('must not do this: %s', (sql) => {
    expect(blockingIn(sql)).toHaveLength(1);
  });

  it.each([
    'create index concurrently a on ledger_event (type)',
    'create index a on job (kind)',
    "alter table ledger_event add constraint c check (type <> '') not valid",
    'alter table ledger_event validate constraint c',
    'alter table ledger_event add column note text',
    'reindex table concurrently ledger_event',
  ])('may do this: %s', (sql) => {
    expect(blockingIn(sql)).toEqual([]);
  });
});
