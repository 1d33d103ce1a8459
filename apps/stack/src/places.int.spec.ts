import { accessSync, chownSync, constants } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { freePort, insteadOfRoot, PostgresServer } from '@strongroom/server-processes';
import pg from 'pg';
import { eventually } from '../../../test/services/eventually.js';
import { folderForStack, Launcher, long, running } from '../fixtures/launcher.js';

/** Nothing of this may bend the stack: see `freeEnvironment`. */
const bending = {
  PGOPTIONS: '-c search_path=nowhere',
  PGSSLMODE: 'verify-full',
  PGDATESTYLE: 'German',
  NODE_USE_ENV_PROXY: '1',
  HTTP_PROXY: 'http://127.0.0.1:9',
  TZ: 'Asia/Tokyo',
  LANG: 'de_DE.UTF-8',
};
/** Whoever PostgreSQL runs as in place of root; undefined when this is not root. */
const ordinary = insteadOfRoot();

let launcher: Launcher | undefined;
afterEach(async () => {
  const folder = launcher?.data;
  await launcher?.remove();
  launcher = undefined;
  if (folder === undefined) return;
  // What root cannot keep in a closed folder lies elsewhere.
  await PostgresServer.endLeftover(join(folder, 'postgresql'));
});

describe('npm start with its data in', () => {
  it.each([
    { what: 'an open folder', mode: 0o755, user: undefined, env: {} },
    { what: 'a folder that is closed to others', mode: 0o700, user: undefined, env: bending },
    ...(ordinary ? [{ what: 'a folder of an ordinary user', mode: 0o700, user: ordinary, env: {} }] : []),
  ])(
    '$what ends its demo, and builds a server from the backup',
    async ({ mode, user, env }) => {
      const folder = folderForStack(mode);
      if (user) chownSync(folder, user.uid, user.gid);
      launcher = new Launcher({ folder, port: await freePort(), env, user }, '--broker', 'embedded');
      await launcher.says('Up in');
      expect(launcher.output).not.toContain('failed');
      const { client, described } = launcher;
      const [backup] = await launcher.backups();
      const { id } = await client.instances.restore('built-from-the-demo', backup?.id ?? '');
      const { port } = await eventually(async () => {
        const instance = await client.instances.get(id);
        expect(instance.status).toBe('ACTIVE');
        return instance;
      }, long);
      const shop = new URL(described.demo?.postgres ?? '');
      shop.port = String(port);
      const server = new pg.Client({ connectionString: shop.href });
      await server.connect();
      expect((await server.query('select count(*)::int as orders from customer_order')).rows).toEqual([
        { orders: 100_000 },
      ]);
      await server.end();
      accessSync(join(launcher.data, 'instances'), constants.R_OK);
      const { pids } = described;
      expect(await launcher.end('SIGTERM')).toBe(0);
      expect(running(pids)).toEqual([]);
    },
    240_000,
  );
});
