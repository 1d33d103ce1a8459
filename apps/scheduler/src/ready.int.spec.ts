import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { connectFeed } from '@strongroom/feed';
import { openService, type Service } from '@strongroom/runtime';
import pg from 'pg';
import { createTestDatabase, type TestDatabase } from '../../../test/services/database.js';
import { eventually } from '../../../test/services/eventually.js';
import { SpecRuntime } from '../../../test/services/runtime-parts.js';
import { schedulerModule } from './scheduler.module.js';

let database: TestDatabase;
let runtime: SpecRuntime;
let service: Service;
let admin: pg.Client;
beforeAll(async () => {
  database = await createTestDatabase();
  runtime = await SpecRuntime.create('DFW');
  const parts = runtime.partsOf('scheduler', database.url, ['DFW']);
  service = await openService(
    { ...parts, config: { ...parts.config, http: { ...parts.config.http, host: '127.0.0.1', port: 0 } } },
    {
      module: schedulerModule,
      configure: (app, own) => connectFeed(app, own, { readinessNeedsFeed: true }),
    },
  );
  admin = new pg.Client({ connectionString: database.url });
  await admin.connect();
});
afterAll(async () => {
  await admin.end();
  await service.close();
  await runtime.remove();
  await database.drop();
});

async function ready(): Promise<{ status: number; text: string }> {
  const answer = await fetch(`${service.url}/health/ready`);
  return { status: answer.status, text: await answer.text() };
}
const isReady = () =>
  eventually(async () => expect(await ready()).toMatchObject({ status: 200 }), { withinMs: 30_000 });

describe('a scheduler', () => {
  it('is ready when slots and jobs are looked for, and events are taken', async () => {
    await isReady();
    const { text } = await ready();
    for (const name of ['database', 'slots', 'jobs', 'feed']) expect(text).toContain(`"${name}":{"ok":true`);
  });

  it.each([
    ['slots', 'slot_timer', 'slot dispatcher fails'],
    ['jobs', 'job', 'jobs fails'],
    ['feed', 'feed_offset', 'feed of strongroom'],
  ])('is not ready while %s are not looked for, and says so', async (name, table, told) => {
    await admin.query(`alter table ${table} rename to missing_for_spec`);
    try {
      await eventually(
        async () => {
          const { status, text } = await ready();
          expect(status).toBe(503);
          expect(text).toMatch(new RegExp(`"${name}":\\{"ok":false[^}]*${told}`));
        },
        { withinMs: 30_000 },
      );
    } finally {
      await admin.query(`alter table missing_for_spec rename to ${table}`);
    }
    await isReady();
  });
});
