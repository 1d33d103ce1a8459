import { existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { z } from 'zod';
import { createTestDatabase } from '../../../../test/services/database.js';
import { eventually } from '../../../../test/services/eventually.js';
import { calledDuring } from '../../fixtures/called-files.js';
import { Gateway } from '../../fixtures/gateway.js';

const root = join(__dirname, '..', '..', '..', '..');
const heading = '## The way of `POST /schedules`';

let gateway: Gateway;
let called: Map<string, number>;
beforeAll(async () => {
  const database = await createTestDatabase();
  const client = new pg.Client(database.url);
  await client.connect();
  // The database counts the calls of its own functions in every session that begins from now on.
  await client.query(`alter database ${database.name} set track_functions = 'pl'`);
  await client.end();
  gateway = await Gateway.open({ database });
  const instanceId = await gateway.register();
  called = await calledDuring(() => gateway.schedule(instanceId, { copy_to: ['IAD'] }));
});
afterAll(() => gateway.close());

/** The files that the numbered steps of the page begin with, in order. */
function stepsOf(page: string): string[] {
  const [, section = ''] = page.split(`${heading}\n`);
  const [text = ''] = section.split('\n## ');
  return [...text.matchAll(/^\d+\. `([^`]+)`/gm)].map(([, file = '']) => file);
}

describe('the way of POST /schedules, as ARCHITECTURE.md walks it', () => {
  const steps = stepsOf(readFileSync(join(root, 'ARCHITECTURE.md'), 'utf8'));

  it('is at most eight files, and all of them exist', () => {
    expect(steps.length).toBeGreaterThan(1);
    expect(steps.length).toBeLessThanOrEqual(8);
    expect(steps.filter((file) => !existsSync(join(root, file)))).toEqual([]);
  });

  it('is the way that the request goes: in each of the files something is called', () => {
    expect(called.size).toBeGreaterThan(steps.length);
    expect(steps.filter((file) => file.endsWith('.ts') && !called.has(file))).toEqual([]);
  });

  it('ends in the function of the database that the page names', async () => {
    const names = steps.filter((file) => file.endsWith('.sql')).map((file) => basename(file, '.sql'));
    expect(names).not.toEqual([]);
    const calls = z.array(z.object({ funcname: z.string() }));
    await eventually(
      async () => {
        const rows = calls.parse(await gateway.sql('select funcname from pg_stat_user_functions where calls > 0'));
        expect(rows.map(({ funcname }) => funcname)).toEqual(expect.arrayContaining(names));
      },
      { withinMs: 30_000 },
    );
  });

  it('is told apart from a page that names a file which is not on the way', () => {
    const page = `${heading}\n\n1. \`apps/api/src/main.ts\`: starts.\n\n## Another\n\n1. \`x.ts\`\n`;
    expect(stepsOf(page)).toEqual(['apps/api/src/main.ts']);
    expect(called.has('apps/api/src/main.ts')).toBe(false);
    expect(called.has('apps/api/src/backups/commands.ts')).toBe(false);
  });
});
