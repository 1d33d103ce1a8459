/** What happens when a page of the server is damaged, and that the way to go on which the documentation describes is one. */
import { randomUUID } from 'node:crypto';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { rowsOf } from '../../../../test/services/tables.js';
import { BackedUpServer } from '../../fixtures/backed-up-server.js';

const long = 120_000;
const blockSize = 8_192;

describe('a server with damaged pages', () => {
  let server: BackedUpServer;
  let good = '';
  let file = '';
  let fileOfIndex = '';
  let mended = '';

  beforeAll(async () => {
    const started = await BackedUpServer.start();
    if (!started) throw new Error('there is no server');
    server = started;
    await server.query('create table account (id integer primary key, filling text)');
    await server.query("insert into account select n, repeat('x', 500) from generate_series(1, 2000) n");
    await server.query('create table rest as select generate_series(1, 1000) as n');
    good = await server.take();
    const [row] = await server.query(
      "select pg_relation_filepath('account') as file, pg_relation_filepath('account_pkey') as index",
    );
    file = String(row?.file);
    fileOfIndex = String(row?.index);
    await server.restart(async (data) => {
      await damage(join(data, file), [3, 7]);
      await damage(join(data, fileOfIndex), [1]);
    });
  }, long);
  afterAll(() => server.remove());

  async function damage(path: string, blocks: number[]): Promise<void> {
    const handle = await open(path, 'r+');
    for (const block of blocks) await handle.write(Buffer.from('damaged'), 0, 7, block * blockSize + blockSize / 2);
    await handle.close();
  }

  it(
    'are not backed up: the fault names each file and block, and is not tried again',
    async () => {
      const backupId = randomUUID();
      const refused = server.take(null, { backupId });
      await expect(refused).rejects.toMatchObject({ code: 'server-data-damaged', retryable: false });
      for (const [path, block] of [
        [file, 3],
        [file, 7],
        [fileOfIndex, 1],
      ] as const) {
        await expect(refused).rejects.toThrow(`${path}", block ${block}`);
      }
      await expect(refused).rejects.toThrow('"A damaged page" in docs/operations.md');
      await expect(server.vault.manifest(backupId)).resolves.toBeUndefined();
      await expect(server.vault.verify(good)).resolves.toBeDefined();
    },
    long,
  );

  it(
    'are whole in what is restored of an incremental on the last good backup: only pages that have changed are read',
    async () => {
      await server.query('insert into rest select generate_series(1001, 2000)');
      await server.query('create table since as select generate_series(1, 10) as n');
      const incremental = await server.take(good);
      const restored = await server.restored(incremental);
      const count = 'select count(*)::int as rows, sum(id)::int as ids from account where filling is not null';
      expect(await rowsOf(restored.url(), count)).toEqual([{ rows: 2_000, ids: 2_001_000 }]);
      expect(await rowsOf(restored.url(), 'select count(*)::int as rows from rest')).toEqual([{ rows: 2_000 }]);
      expect(await rowsOf(restored.url(), 'select count(*)::int as rows from since')).toEqual([{ rows: 10 }]);
      mended = restored.url();
    },
    long,
  );

  it(
    'are mended from the last good backup, as docs/operations.md says, and then backups go on',
    async () => {
      // 1. What the file belongs to.
      const [owner] = await server.query(
        `select pg_filenode_relation(0, ${file.split('/').at(-1)})::regclass::text as name`,
      );
      expect(owner).toEqual({ name: 'account' });
      // 2. What of the table can still be read.
      await expect(rowsOf(server.server.url(), 'select count(*) from account')).rejects.toThrow(
        /invalid page in block/,
      );
      // 3. The whole table, from the server that was restored beside, in place of the damaged one.
      await server.query('create table account_mended (like account including all)');
      const rows = await rowsOf(mended, 'select json_agg(t)::text as all from (select * from account order by id) t');
      await server.query(
        `insert into account_mended select * from json_populate_recordset(null::account_mended, $rows$${String(rows[0]?.all)}$rows$)`,
      );
      await server.query('drop table account');
      await server.query('alter table account_mended rename to account');
      await server.query('checkpoint');
      // 4. Backups go on.
      await expect(server.take()).resolves.toBeDefined();
    },
    long,
  );
});
