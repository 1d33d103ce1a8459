import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { exceptions, foreignTablesOf, ownerOfTable } from './table-owners.js';

const root = join(__dirname, '..');
const textOf = (path: string) => readFileSync(join(root, path), 'utf8');
const notProduction = /\.(spec|contract)\.ts$|\/fixtures\/|^libs\/database\/(schema\.sql$|src\/migrations\/)/;

const paths = ['apps', 'libs'].flatMap((room) =>
  readdirSync(join(root, room), { recursive: true, encoding: 'utf8' })
    .map((path) => `${room}/${path}`)
    .filter((path) => /\.(ts|sql)$/.test(path) && !notProduction.test(path)),
);

describe('each table', () => {
  it('says what it holds, and has one owner, which is there', () => {
    const tables = [...textOf('libs/database/schema.sql').matchAll(/^-- .+\ncreate (?:unlogged )?table (\w+)/gm)];
    expect(Object.keys(ownerOfTable).sort()).toEqual(tables.map(([, table]) => table));
    for (const owner of Object.values(ownerOfTable)) {
      expect(paths.filter((path) => path.startsWith(owner))).not.toEqual([]);
    }
  });

  it('is named in SQL by its owner alone', () => {
    expect(paths.length).toBeGreaterThan(200);
    expect(paths.flatMap((path) => foreignTablesOf({ path, text: textOf(path) }))).toEqual([]);
  });

  it('has no exception that is not needed', () => {
    const needed = exceptions.filter(({ path }) => foreignTablesOf({ path, text: textOf(path) }, []).length > 0);
    expect(exceptions).toEqual(needed);
  });

  const foreign: [string, string, string, string][] = [
    ['read', 'apps/api/src/reads.ts', "query('select 1 from ledger_claim where kind = $1');", 'ledger_claim'],
    [
      'joined',
      'libs/feed/src/batch.ts',
      'query(`select 1 from feed_offset f join backup_view b on true`);',
      'backup_view',
    ],
    ['listed', 'libs/ledger/src/ledger.ts', "query('select 1 from ledger_event e, job j');", 'job'],
    ['filled', 'apps/replicator/src/copy.ts', 'query(`insert into job (kind) values ($1)`);', 'job'],
    ['changed', 'apps/scheduler/src/hand.ts', 'query(`update job set attempt = 0`);', 'job'],
    ['emptied', 'libs/runtime/src/jobs.ts', "query('delete from ledger_event using job');", 'ledger_event'],
    ['locked', 'libs/runtime/src/jobs.ts', "query('LOCK TABLE view_head in exclusive mode');", 'view_head'],
    [
      'named beside a value',
      'apps/api/src/reads.ts',
      `query(\`select \${column} from job where id = \${id}\`);`,
      'job',
    ],
    [
      'named in its app, but not by its file',
      'apps/api/src/reads.ts',
      "query('select 1 from request_count');",
      'request_count',
    ],
    [
      "named in another's function",
      'libs/database/src/functions/job_add.sql',
      '-- Adds a job. Owner: libs/runtime.\nselect 1 from ledger_event;',
      'ledger_event',
    ],
    ["named in nobody's function", 'libs/database/src/functions/job_add.sql', 'insert into job values (1);', 'job'],
  ];
  it.each(foreign)('is seen when it is %s by another room', (_how, path, text, table) => {
    expect(foreignTablesOf({ path, text })).toEqual([
      `${path} names ${table} in SQL, and ${ownerOfTable[table]} owns it: call a function of the owner`,
    ]);
  });

  it.each([
    ['its owner', 'libs/ledger/src/ledger.ts', "query('select 1 from ledger_event');"],
    [
      "its owner's function",
      'libs/database/src/functions/a.sql',
      '-- Owner: libs/ledger.\nselect 1 from ledger_event;',
    ],
    ['a comment', 'apps/api/src/reads.ts', '/** What is read from job and ledger_event. */ const read = 1;'],
    ['a comment of SQL', 'libs/database/src/functions/a.sql', '-- Owner: libs/feed.\n-- Not from job.\nselect 1;'],
    ['a sentence', 'apps/scheduler/src/sweep.ts', "const name = 'the job of the sweep';"],
    [
      'a column',
      'apps/api/src/reads.ts',
      "query('select 1 from jsonb_to_recordset($1) as asked(id uuid, job jsonb)');",
    ],
    ['a call of its owner', 'libs/read-model/src/views.ts', "query('select ledger_newest_of($1)');"],
  ])('may be named by %s', (_what, path, text) => {
    expect(foreignTablesOf({ path, text })).toEqual([]);
  });
});
