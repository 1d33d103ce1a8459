import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Ledger, type TailRow } from '@strongroom/ledger';
import type { DataSource } from 'typeorm';
import { connectTestDatabase, type TestDatabase } from './services/database.js';
import { eventually } from './services/eventually.js';

const writers = 4;
const streams = 8;
const eventsOfEach = 60;

let database: TestDatabase;
let dataSource: DataSource;

beforeAll(async () => {
  ({ database, dataSource } = await connectTestDatabase({ applicationName: 'ledger-order-spec' }));
});

afterAll(async () => {
  await dataSource.destroy();
  await database.drop();
});

describe('a reader of the ledger', () => {
  it('loses no event and sees none out of order while several processes write', async () => {
    const script = join(__dirname, 'processes', 'ledger-writer.mjs');
    const children = Array.from({ length: writers }, () =>
      spawn(process.execPath, [script, database.url, String(streams), String(eventsOfEach)], {
        stdio: ['ignore', 'ignore', 'inherit'],
      }),
    );
    let writing = writers;
    const exits = children.map(async (child) => {
      const [code] = await once(child, 'exit');
      writing -= 1;
      return code;
    });

    // The reader's place is one number, so whatever is committed later must have a higher one.
    const ledger = new Ledger(dataSource);
    const seen: TailRow[] = [];
    for (;;) {
      const wereWriting = writing > 0;
      const rows = await ledger.tail('schedule', seen.at(-1)?.position ?? 0, 50);
      seen.push(...rows);
      if (!wereWriting && rows.length === 0) break;
    }
    expect(await Promise.all(exits)).toEqual(children.map(() => 0));
    expect(seen).toHaveLength(writers * streams * eventsOfEach);

    const versions = new Map<string, number>();
    for (const { stream, event } of seen) {
      const { version } = event as { version: number };
      expect(version).toBe((versions.get(stream) ?? 0) + 1);
      versions.set(stream, version);
    }
    const positions = seen.map(({ position }) => position);
    expect(positions).toEqual([...positions].sort((a, b) => a - b));
  }, 60_000);
});

describe('a process that is killed while it appends', () => {
  it('leaves an event with the job that it asks for, or neither', async () => {
    const script = join(__dirname, 'processes', 'ledger-writer.mjs');
    const children = Array.from({ length: writers }, () =>
      spawn(process.execPath, [script, database.url, '1000', '1', 'instance'], {
        stdio: ['ignore', 'ignore', 'inherit'],
      }),
    );
    const exits = children.map((child) => once(child, 'exit'));
    const count = async (query: string) => Number((await dataSource.query(query))[0].count);
    const events = () => count(`select count(*) from ledger_event where type = 'InstanceForgotten'`);
    await eventually(async () => expect(await events()).toBeGreaterThan(100), { withinMs: 30_000 });
    for (const child of children) child.kill('SIGKILL');
    await Promise.all(exits);
    // A statement that the server had begun for a killed process is either committed or rolled back.
    await eventually(
      async () =>
        expect(await count(`select count(*) from pg_stat_activity where application_name = 'ledger-writer'`)).toBe(0),
      { withinMs: 30_000 },
    );
    expect(await events()).toBeLessThan(writers * 1_000);
    const unmatched = `select count(*) from (select * from ledger_event where type = 'InstanceForgotten') e
      full join (select * from job where kind = 'instance') j on j.id = e.instance_id where j.id is null or e.id is null`;
    expect(await count(unmatched)).toBe(0);
  }, 90_000);
});
