import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { type PostgresVersion, postgresOfVersion } from '../../../test/services/postgres-versions.js';
import { withoutProgress } from '../../../test/services/progress.js';
import { BackedUpServer } from '../fixtures/backed-up-server.js';

const program = join(__dirname, '..', '..', '..', 'dist', 'apps', 'cli', 'src', 'main.js');
const verified = z.object({
  restored: z.object({
    started: z.boolean(),
    databases: z.array(
      z.object({ name: z.string(), tables: z.array(z.object({ name: z.string(), rows: z.string() }).loose()) }),
    ),
  }),
});
const versions: PostgresVersion[] = ['15', '16', '17'];

describe('strongroom verify --restore --programs', () => {
  it.each(versions)(
    'reads every table of a backup of PostgreSQL %s, even when its roles preload a missing library',
    async (version) => {
      const server = await BackedUpServer.start({ version, checksums: false, settings: { wal_log_hints: 'on' } });
      if (!server) return;
      try {
        await server.query(
          "create table orders as select n as id, repeat('x', 3000) as text from generate_series(1, 3000) n",
        );
        const full = await server.take();
        await server.query('delete from orders where id % 3 = 0');
        await server.query('create database other');
        await server.query("alter role postgres set session_preload_libraries = 'not_there'");
        const backup = version === '17' ? await server.take(full) : await server.take();
        const scratch = join(server.folder, 'scratch');
        await mkdir(scratch);
        await chmod(scratch, 0o711);
        const bin = join((await postgresOfVersion(version)) ?? '', 'native', 'bin');
        const vault = `DFW=${pathToFileURL(join(server.folder, 'DFW')).href}`;
        const args = [
          '--restore',
          '--scratch',
          scratch,
          '--programs',
          bin,
          '--json',
          '--from',
          'DFW',
          '--vault',
          vault,
        ];
        const child = spawn(process.execPath, [program, 'verify', backup, ...args], { env: {}, cwd: server.folder });
        const [[code], out, err] = await Promise.all([once(child, 'exit'), text(child.stdout), text(child.stderr)]);
        expect({ code, faults: withoutProgress(err) }).toEqual({ code: 0, faults: '' });
        const { restored } = verified.parse(JSON.parse(out));
        expect(restored.databases.map(({ name }) => name)).toEqual(['other', 'postgres', 'template1']);
        const tables = restored.databases.find(({ name }) => name === 'postgres')?.tables ?? [];
        expect(tables.find(({ name }) => name === 'public.orders')).toMatchObject({ rows: '2000' });
        expect(await readdir(scratch)).toEqual([]);
      } finally {
        await server.remove();
      }
    },
    180_000,
  );
});
