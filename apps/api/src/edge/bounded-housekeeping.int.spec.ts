import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Ledger } from '@strongroom/ledger';
import { Jobs, loadConfig, RandomIds, SystemClock } from '@strongroom/runtime';
import type { DataSource } from 'typeorm';
import { connectTestDatabase, type TestDatabase } from '../../../../test/services/database.js';
import { eventually } from '../../../../test/services/eventually.js';
import { Gateway } from '../../fixtures/gateway.js';
import { IdempotentRequests } from './idempotent-requests.js';

let database: TestDatabase;
let dataSource: DataSource;
let requests: IdempotentRequests;

beforeAll(async () => {
  ({ database, dataSource } = await connectTestDatabase({ applicationName: 'housekeeping-spec' }));
  const config = loadConfig('api', {
    STRONGROOM_DATABASE_URL: database.url,
    STRONGROOM_FEED: 'embedded',
    STRONGROOM_VAULTS: 'DFW=file:///none',
    STRONGROOM_TOKENS_FILE: '/none',
    STRONGROOM_SECRET_KEY: randomBytes(32).toString('base64'),
  });
  requests = new IdempotentRequests(dataSource, new Ledger(dataSource), new RandomIds(), new SystemClock(), config);
});
afterEach(() => dataSource.query('delete from idempotent_request; delete from ledger_claim; delete from job_news'));
afterAll(async () => {
  await dataSource.destroy();
  await database.drop();
});

/** Leaves keys that were used two days ago, each with its claim. */
const leave = (count: number) =>
  dataSource.query(
    `insert into idempotent_request (account_id, key, fingerprint, resource_id, begun_at)
       select '1234', 'old-' || n, '', gen_random_uuid(), now() - interval '2 days' from generate_series(1, ${count}) n;
     insert into ledger_claim (kind, key, stream) select 'idempotency-key', '1234/old-' || n, 'spec' from generate_series(1, ${count}) n`,
  );
const left = async (): Promise<number[]> => {
  const [row] = await dataSource.query(
    `select (select count(*) from idempotent_request)::int as keys, (select count(*) from ledger_claim)::int as claims`,
  );
  return [row.keys, row.claims];
};

describe('housekeeping', () => {
  it('forgets old keys a thousand at a time, and keeps what it has done when a later piece fails', async () => {
    await leave(2_500);
    // The claim of the youngest can't be given back for now.
    await dataSource.query(
      `insert into idempotent_request (account_id, key, fingerprint, resource_id, begun_at)
         values ('1234', 'stuck', '', gen_random_uuid(), now() - interval '30 hours');
       insert into ledger_claim (kind, key, stream) values ('idempotency-key', '1234/stuck', 'spec');
       create function refuse() returns trigger language plpgsql as $$ begin raise 'not this one'; end $$;
       create trigger refuses before delete on ledger_claim for each row when (old.key = '1234/stuck') execute function refuse()`,
    );
    expect(await requests.purge()).toBe('again');
    expect(await left()).toEqual([1_501, 1_501]);
    expect(await requests.purge()).toBe('again');
    await expect(requests.purge()).rejects.toThrow('not this one');
    expect(await left()).toEqual([501, 501]);
    await dataSource.query('drop function refuse cascade');
    expect(await requests.purge()).toBe('done');
    expect(await left()).toEqual([0, 0]);
  });

  it('passes over a key that somebody holds, and leaves those of today', async () => {
    await leave(3);
    await dataSource.query(`update idempotent_request set begun_at = now() where key = 'old-2'`);
    await dataSource.transaction(async (holder) => {
      await holder.query(`select from idempotent_request where key = 'old-3' for update`);
      expect(await requests.purge()).toBe('done');
      expect(await left()).toEqual([2, 2]);
    });
    await requests.purge();
    expect(await left()).toEqual([1, 1]);
  });

  it('forgets all of them in the end, piece by piece, by whichever gateway runs', async () => {
    await leave(3_200);
    const gateway = await Gateway.open({ database });
    try {
      await eventually(async () => expect(await left()).toEqual([0, 0]), { withinMs: 20_000 });
    } finally {
      await gateway.end();
    }
  });

  it('forgets old news of jobs in pieces', async () => {
    await dataSource.query(
      `insert into job_news (position, kind, added_at) select n, 'backup', now() - interval '2 days' from generate_series(1, 12000) n;
       insert into job_news (position, kind) values (20000, 'backup')`,
    );
    await new Jobs(dataSource).forgetOldNews();
    expect(await dataSource.query('select position::int from job_news')).toEqual([{ position: 20_000 }]);
  });
});
