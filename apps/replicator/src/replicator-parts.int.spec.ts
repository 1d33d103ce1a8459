/** What the operator sets for a replicator holds for everything that the process works with. */
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createLogger, loadConfig, runtimeParts } from '@strongroom/runtime';
import type { DataSource } from 'typeorm';
import { connectTestDatabase, type TestDatabase } from '../../../test/services/database.js';
import { copyJob } from './jobs/copy/copy-job.js';
import { replicatorParts } from './replicator-parts.js';

let database: TestDatabase;
let dataSource: DataSource;
let folder: string;
beforeAll(async () => {
  ({ database, dataSource } = await connectTestDatabase({ applicationName: 'replicator-parts-spec' }));
  folder = await mkdtemp(join(tmpdir(), 'strongroom-parts-'));
});
afterAll(async () => {
  await dataSource.destroy();
  await database.drop();
  await rm(folder, { recursive: true, force: true });
});

describe('a replicator', () => {
  it('keeps the space free, and the copies of an account as few, as the operator has set', async () => {
    const config = loadConfig('replicator', {
      STRONGROOM_DATABASE_URL: database.url,
      STRONGROOM_FEED: 'embedded',
      STRONGROOM_VAULTS: `DFW=${pathToFileURL(folder)}`,
      STRONGROOM_FREE_SPACE_RESERVE_MIB: '1000000',
      STRONGROOM_QUOTAS: 'copies=3,acme:copies=1',
    });
    const log = createLogger({ app: 'spec', level: 'silent' });
    const parts = await replicatorParts(runtimeParts(config, log), dataSource);
    expect(copyJob.quota?.(parts)).toEqual({ usual: 3, byAccount: new Map([['acme', 1]]) });
    const upload = await parts.vaults.of('DFW').begin(randomUUID(), 1);
    async function* bytes() {
      yield Buffer.from('x');
    }
    await expect(upload.put('base.tar.zst', bytes())).rejects.toMatchObject({ code: 'vault-full' });
    await upload.discard();
  });
});
