import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { DataSource } from 'typeorm';
import { v7 } from 'uuid';
import { connectTestDatabase, type TestDatabase } from '../../../../test/services/database.js';
import { eventually } from '../../../../test/services/eventually.js';
import { createLogger } from '../log.js';
import { Metrics } from '../metrics.js';
import { SetAside } from '../set-aside.js';
import type { JobKind } from './job-kind.js';
import { type JobWorkParts, jobWork } from './job-work.js';
import { Jobs } from './jobs.js';
import { PutBack } from './put-back.js';

let database: TestDatabase;
let dataSource: DataSource;
beforeAll(async () => {
  ({ database, dataSource } = await connectTestDatabase({ applicationName: 'broken-jobs-spec' }));
});
afterAll(async () => {
  await dataSource.destroy();
  await database.drop();
});

it('a job that breaks off again and again is counted until it is done, and holds up no other', async () => {
  const log = createLogger({ app: 'spec', level: 'silent' });
  const [metrics, jobs] = [new Metrics(), new Jobs(dataSource)];
  const setAside = new SetAside(dataSource, log);
  setAside.measure(metrics);
  const parts: JobWorkParts = {
    ...{ dataSource, jobs, metrics, log, setAside, owner: 'spec', config: { leaseMs: 100 } },
    putBack: new PutBack(metrics, log),
    catchUp: async () => {},
    onAppend: async () => async () => {},
    passes: () => false,
    isUnreadable: () => false,
  };
  const [broken, good] = [v7(), v7()];
  let isMended = false;
  const done: string[] = [];
  const kind: JobKind<JobWorkParts> = {
    kind: 'spec',
    concurrency: () => 1,
    pollMs: () => 10,
    async perform(_, { id }) {
      if (id === broken && !isMended) throw new TypeError('no such stream');
      done.push(id);
      return 'finished';
    },
  };
  await jobs.add(
    dataSource.manager,
    [broken, good].map((id) => ({ kind: 'spec', id, accountId: 'acme' })),
  );
  const running = jobWork([kind], parts);
  for (const each of running) each.start();
  try {
    const counted = (count: number) =>
      eventually(async () => expect(await metrics.text()).toContain(`strongroom_set_aside{kind="job"} ${count}`), {
        withinMs: 10_000,
      });
    await counted(1);
    expect(done).toEqual([good]);
    const [aside] = await setAside.among([{ kind: 'job', id: `spec/${broken}` }]);
    expect(aside?.reason).toMatch(/^it broke off \d+ times: no such stream$/);
    isMended = true;
    await counted(0);
    expect(done).toEqual([good, broken]);
  } finally {
    await Promise.all(running.map((each) => each.stop()));
  }
});
