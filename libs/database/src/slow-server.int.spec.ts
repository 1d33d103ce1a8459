import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { createTestDatabase, openDataSource, type TestDatabase } from '../../../test/services/database.js';
import { WireProxy } from '../../../test/services/wire-proxy.js';
import { createDataSource } from './index.js';

let database: TestDatabase;
let proxy: WireProxy;
beforeAll(async () => {
  database = await createTestDatabase();
  proxy = await WireProxy.before(database.url);
});
afterAll(async () => {
  await proxy.close();
  await database.drop();
});

it('a server that is slow to answer is given up by a service, which tries again, and waited for by a spec', async () => {
  const answers: (() => void)[] = [];
  proxy.toClient = (bytes, link) => {
    answers.push(() => link.give(bytes));
    return undefined;
  };
  const options = { url: proxy.url, applicationName: 'slow-server-spec', poolSize: 1 };
  const opening = openDataSource(options);
  await expect(createDataSource(options).initialize()).rejects.toThrow(/timeout/);
  proxy.calm();
  for (const answer of answers) answer();
  const opened = await opening;
  expect(await opened.query('select 1 as one')).toEqual([{ one: 1 }]);
  await opened.destroy();
});
