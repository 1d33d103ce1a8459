import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { putSchedulesId } from '@strongroom/contracts';
import { z } from 'zod';
import { CustomerDatabase } from './customer-database.js';
import { Deployment } from './deployment.js';
import { eventually } from './services/eventually.js';

let customer: CustomerDatabase;
let strongroom: Deployment;
beforeAll(async () => {
  customer = await CustomerDatabase.start({ megabytes: 5 });
  strongroom = await Deployment.create();
}, 120_000);
afterAll(async () => {
  await strongroom.remove();
  await customer.stop();
});

const line = z.looseObject({ msg: z.string(), requestId: z.string().optional() });

it("a request's id is in what every process logs of what follows from it", async () => {
  const [api] = await strongroom.startAll();
  const scheduleId = await strongroom.schedule(api, await strongroom.register(api, customer.server));
  const asked = { id: scheduleId, requestId: 'follow-me-1', body: { schedule: { run_now: true } } };
  const { headers } = await strongroom.client(api).call(putSchedulesId, asked);
  const requestId = headers.get('x-request-id');
  expect([requestId, headers.get('x-client-request-id')]).toEqual([
    expect.stringMatching(/^[0-9a-f-]{36}$/),
    'follow-me-1',
  ]);
  const [backup] = await strongroom.backups(api);
  await strongroom.untilCopied(api, backup?.id ?? '');

  const said = async (app: 'api' | 'scheduler' | 'replicator') =>
    (await readFile(strongroom.logFile(app), 'utf8'))
      .split('\n')
      .filter(Boolean)
      .map((text) => line.parse(JSON.parse(text)))
      .filter((each) => each.requestId === requestId)
      .map(({ msg }) => msg);
  await eventually(
    async () => {
      expect(await said('api')).toEqual(['answered']);
      expect(await said('scheduler')).toEqual(expect.arrayContaining(['backup begun', 'backup completed']));
      expect((await said('replicator')).filter((msg) => msg === 'copy completed')).toHaveLength(2);
    },
    { withinMs: 30_000 },
  );
}, 90_000);
