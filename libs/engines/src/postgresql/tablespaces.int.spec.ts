/** Tablespaces anywhere on the server, and anywhere on the machine that they are restored to. */
import { chmod, mkdir, readdir, readFile, readlink, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { verifiedByPostgres } from '../../../../test/services/postgres-tools.js';
import type { PostgresVersion } from '../../../../test/services/postgres-versions.js';
import { contentsOf } from '../../../../test/services/tables.js';
import { BackedUpServer } from '../../fixtures/backed-up-server.js';
import { openChain } from '../restore-backup.js';

const long = 180_000;
const versions: [string, PostgresVersion | undefined][] = [
  ['18', undefined],
  ['17', '17'],
  ['15', '15'],
];

describe.each(versions)('tablespaces of PostgreSQL %s', (name, version) => {
  let server: BackedUpServer | undefined;
  afterEach(() => server?.remove());

  it(
    'whose paths are as long as a path may be come back, in a full backup and in a chain, where they are wanted',
    async () => {
      server = await BackedUpServer.start({ version });
      if (!server) return;
      const { folder } = server;
      const places = [
        join(folder, 'short'),
        // Links in an archive have room for 99 bytes, in which a letter may take two.
        join(folder, 'é'.repeat(Math.ceil((100 - folder.length) / 2))),
        join(folder, 'long-'.repeat(30).slice(0, 110), `with\\back slash${'x'.repeat(80)}`),
      ];
      for (const [index, place] of places.entries()) {
        await mkdir(place, { recursive: true });
        await BackedUpServer.ownedByServer(place);
        await chmod(join(place, '..'), 0o711);
        await server.query(`create tablespace space_${index} location '${place}'`);
        await server.query(`create table t_${index} tablespace space_${index} as select generate_series(1, 5000) as n`);
        await server.query(`create index on t_${index} (n) tablespace space_${index}`);
      }
      const backups = [await server.take()];
      if (name !== '15') {
        await server.query('update t_2 set n = -n where n % 7 = 0');
        await server.query('drop table t_1');
        backups.push(await server.take(backups[0]));
      }
      const newest = backups.at(-1) ?? '';
      const chain = await openChain(server.vault, newest);
      const directory = join(folder, 'restored here');
      const wanted = join(folder, 'wanted');
      const { outside } = await server.engine.restore(chain, directory, {
        places: new Map([[places[2] ?? '', wanted]]),
      });
      expect(outside.filter((path) => path.startsWith(folder) && !places.includes(path))).toHaveLength(3);
      expect(outside).toContain(wanted);
      // A server would make links to the places of the source from it.
      await expect(stat(join(directory, 'tablespace_map'))).rejects.toMatchObject({ code: 'ENOENT' });
      for (const oid of await readdir(join(directory, 'pg_tblspc'))) {
        expect(outside).toContain(await readlink(join(directory, 'pg_tblspc', oid)));
      }
      expect(await readFile(join(directory, 'backup_manifest'), 'utf8')).not.toContain('tablespace_map');
      // PostgreSQL's own tools are of version 18.
      if (version === undefined) await verifiedByPostgres(directory);
      const restored = await server.restored(newest);
      expect(await contentsOf(restored.url())).toEqual(await contentsOf(server.server.url()));
    },
    long,
  );
});
