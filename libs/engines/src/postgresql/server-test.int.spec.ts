import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { eventually } from '../../../../test/services/eventually.js';
import { collectGarbage } from '../../../../test/services/garbage.js';
import { BackedUpServer } from '../../fixtures/backed-up-server.js';
import type { EngineTarget, ServerTest } from '../engine.js';

const withinMs = 20_000;

let server: BackedUpServer;
beforeAll(async () => {
  const started = await BackedUpServer.start();
  if (!started) throw new Error('there is no PostgreSQL 18');
  server = started;
}, 120_000);
afterAll(() => server.remove());

function test(changes: { endpoint?: Partial<EngineTarget['endpoint']>; password?: string } = {}): Promise<ServerTest> {
  const { target, engine } = server;
  const endpoint = { ...target.endpoint, ...changes.endpoint };
  return engine.test({ ...target, ...changes, endpoint }, { withinMs });
}

/** Puts a line before all others of pg_hba.conf. @returns a function that takes it away again */
async function hba(line: string): Promise<() => Promise<void>> {
  const file = join(server.server.dataDirectory, 'pg_hba.conf');
  const before = await readFile(file, 'utf8');
  const write = async (text: string) => {
    await writeFile(file, text);
    await server.query('select pg_reload_conf()');
    const expected = text.startsWith(line) ? line.split(/\s+/).at(-1) : undefined;
    await eventually(
      async () => {
        const [first] = await server.query('select auth_method from pg_hba_file_rules order by rule_number limit 1');
        if (expected !== undefined) expect(first?.auth_method).toBe(expected);
      },
      { withinMs: 10_000 },
    );
  };
  await write(`${line}\n${before}`);
  return () => write(before);
}

describe('the test of a server', () => {
  it('says who the server is, and that nothing is missing', async () => {
    const [who] = await server.query(
      "select current_setting('server_version') as version, system_identifier::text as id from pg_control_system()",
    );
    expect(await test()).toEqual({
      server: { version: who?.version, systemId: who?.id, clockAheadMs: expect.any(Number) },
      full: { missing: [] },
      incremental: { missing: [] },
      tried: [
        { what: expect.stringContaining('replication connection to 127.0.0.1:') },
        { what: expect.stringContaining('database "postgres"') },
      ],
    });
  });

  it.each([90_000, -90_000])('says how far the clock of the server is from ours: %i ms ahead', async (aheadMs) => {
    const now = Date.now;
    const ours = jest.spyOn(Date, 'now').mockImplementation(() => now.call(Date) - aheadMs);
    const begunAt = performance.now();
    try {
      const { server: told } = await test();
      // It was asked in that time.
      const mostMs = performance.now() - begunAt;
      expect(Math.abs((told?.clockAheadMs ?? Number.NaN) - aheadMs)).toBeLessThanOrEqual(mostMs);
    } finally {
      ours.mockRestore();
    }
  });

  it('leaves nothing on the server', async () => {
    const left = async () => [
      await server.slots(),
      await server.query("select pid from pg_stat_activity where application_name = 'strongroom'"),
    ];
    await test();
    await eventually(async () => expect(await left()).toEqual([[], []]), { withinMs: 10_000 });
  });

  it('says that the role lacks REPLICATION, and how to give it', async () => {
    await server.query(`create role "read""er" login password '${server.target.password}'`);
    const { server: told, full, incremental } = await test({ endpoint: { user: 'read"er' } });
    expect(told).toMatchObject({ version: expect.stringMatching(/^18/) });
    expect(full.missing.join('\n')).toContain('ALTER ROLE "read""er" REPLICATION');
    expect(incremental.missing).toEqual(expect.arrayContaining(full.missing));
  });

  it('says that pg_hba.conf lets nobody replicate, and what the server said', async () => {
    const mend = await hba('host replication backup 127.0.0.1/32 reject');
    try {
      const { full, server: told } = await test();
      expect(told?.version).toMatch(/^18/);
      expect(full.missing.join('\n')).toMatch(/pg_hba\.conf rejects replication connection.*28000.*pg_hba\.conf/s);
    } finally {
      await mend();
    }
  });

  it('says what incrementals lack where full backups lack nothing: a database to ask', async () => {
    const { full, incremental, tried } = await test({ endpoint: { database: 'nowhere' } });
    expect(full.missing).toEqual([]);
    expect(incremental.missing).toEqual([expect.stringContaining('database "nowhere" does not exist')]);
    expect(incremental.missing.join()).not.toContain('Take a full backup');
    expect(tried.map(({ fault }) => fault?.code)).toEqual([undefined, expect.any(String)]);
  });

  it('says that the function which tells of changes may not be called', async () => {
    const function_ = 'pg_wal_summary_contents(bigint, pg_lsn, pg_lsn)';
    await server.query(`revoke execute on function ${function_} from public`);
    try {
      const { full, incremental } = await test();
      expect(full.missing).toEqual([]);
      expect(incremental.missing).toEqual([expect.stringContaining('pg_wal_summary_contents')]);
    } finally {
      await server.query(`grant execute on function ${function_} to public`);
    }
  });

  it('gives the fault of a wrong password', async () => {
    const { server: told, full, incremental } = await test({ password: 'wrong' });
    expect(told).toBeUndefined();
    expect(full).toMatchObject({ fault: { code: 'credentials-refused' }, missing: [expect.stringContaining('28P01')] });
    expect(incremental.missing).toEqual(full.missing);
  });

  it('gives the fault of a server that does not speak TLS', async () => {
    const { full } = await test({ endpoint: { tls: 'require' } });
    expect(full.missing).toEqual([expect.stringMatching(/does not support SSL/)]);
  });
});

describe('the test of a server whose settings are wrong', () => {
  afterEach(() => server.restart(undefined, { max_replication_slots: 10, max_wal_senders: 10 }));

  it('names every setting that incrementals lack at once', async () => {
    await server.restart(undefined, { summarize_wal: 'off', max_replication_slots: 1 });
    const { full, incremental } = await test();
    expect(full.missing).toEqual([]);
    expect(incremental.missing.join('\n')).toMatch(/summarize_wal = on[\s\S]*max_replication_slots/);
  }, 120_000);

  it('names those that full backups lack', async () => {
    await server.restart(undefined, {
      max_replication_slots: 0,
      max_wal_senders: 0,
      wal_level: 'minimal',
      summarize_wal: 'off',
    });
    const { full } = await test();
    const told = full.missing.join('\n');
    for (const name of ['wal_level', 'max_wal_senders', 'max_replication_slots']) expect(told).toContain(name);
  }, 120_000);
});

describe('the test of a server that can not be reached', () => {
  it('is over at once where nothing listens', async () => {
    const { full, tried, server: told } = await test({ endpoint: { port: 1 } });
    expect(told).toBeUndefined();
    expect(full).toMatchObject({ fault: { code: 'server-unreachable' } });
    expect(tried.every(({ fault }) => fault)).toBe(true);
  });

  it('is over in its time where something listens and says nothing, also when memory is tidied up', async () => {
    const silent = createServer(() => {});
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const address = silent.address();
    const port = typeof address === 'object' && address ? address.port : 0;
    try {
      const target = { ...server.target, endpoint: { ...server.target.endpoint, port } };
      const testing = server.engine.test(target, { withinMs: 300 });
      const tidying = setInterval(collectGarbage, 50);
      const { full } = await testing.finally(() => clearInterval(tidying));
      expect(full).toMatchObject({ fault: { code: 'server-stalled' }, missing: [expect.stringContaining('0.3 s')] });
    } finally {
      silent.close();
    }
  });

  it('ends with the signal of its caller', async () => {
    const signal = AbortSignal.abort(new Error('the caller has gone'));
    await expect(server.engine.test(server.target, { withinMs, signal })).rejects.toThrow('the caller has gone');
  });
});
