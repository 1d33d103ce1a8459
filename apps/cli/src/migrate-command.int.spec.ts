import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { createTestDatabase, type TestDatabase } from '../../../test/services/database.js';
import { runStrongroom } from '../../../test/services/run-strongroom.js';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

it('strongroom migrate says beside its data that the schema is up to date, and prints the roles with rights as JSON', async () => {
  const migrate = (...more: string[]) => runStrongroom(['migrate', ...more], { STRONGROOM_DATABASE_URL: database.url });
  const first = await migrate();
  expect(first).toMatchObject({ code: 0, stdout: '', output: expect.stringMatching(/^The schema is up to date\. /) });
  const { code, stdout } = await migrate('--json');
  expect({ code, document: JSON.parse(stdout) }).toEqual({ code: 0, document: { roles: expect.any(Array) } });
});
