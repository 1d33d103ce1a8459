/** What the operator sets for a scheduler holds for everything that the process works with. */
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { createLogger, loadConfig, runtimeParts } from '@strongroom/runtime';
import type { DataSource } from 'typeorm';
import { connectTestDatabase, type TestDatabase } from '../../../test/services/database.js';
import { backupsInClear } from '../../../test/services/in-clear.js';
import { ScriptedServer } from '../../../test/services/scripted-server.js';
import * as protocol from '../../../test/services/server-messages.js';
import { schedulerParts } from './scheduler-parts.js';

const { signal } = new AbortController();
const here = { STRONGROOM_CUSTOMER_NETWORKS: '127.0.0.0/8' };

let database: TestDatabase;
let dataSource: DataSource;
let folder: string;
let server: ScriptedServer | undefined;
let told: string[];
beforeAll(async () => {
  ({ database, dataSource } = await connectTestDatabase({ applicationName: 'scheduler-parts-spec' }));
  folder = await mkdtemp(join(tmpdir(), 'strongroom-parts-'));
});
afterEach(() => server?.stop());
afterAll(async () => {
  await dataSource.destroy();
  await database.drop();
  await rm(folder, { recursive: true, force: true });
});

function partsWith(env: Record<string, string> = {}) {
  told = [];
  const log = createLogger({ app: 'spec', level: 'warn', to: { write: (line) => void told.push(line) } });
  const config = loadConfig('scheduler', {
    STRONGROOM_DATABASE_URL: database.url,
    STRONGROOM_FEED: 'embedded',
    STRONGROOM_VAULTS: `DFW=${pathToFileURL(folder)}`,
    STRONGROOM_SECRET_KEY: Buffer.alloc(32, 7).toString('base64'),
    ...backupsInClear,
    ...env,
  });
  return schedulerParts(runtimeParts(config, log), dataSource);
}

const at = (port: number) => ({
  instanceId: randomUUID(),
  endpoint: { host: '127.0.0.1', port, user: 'backup', database: 'postgres', tls: 'disable' as const },
  password: 'secret',
});

describe('a scheduler', () => {
  it('dials for customers neither what the operator does not list nor the database of the ledger', async () => {
    const refused = { code: 'server-not-allowed' };
    const ofNobody = (await partsWith()).engineFor('postgresql');
    await expect(ofNobody.describe(at(1), signal)).rejects.toMatchObject(refused);
    const own = Number(new URL(database.url).port);
    const parts = await partsWith(here);
    // A server that was dialled would have refused the password. Where a service of ours is, is told to nobody.
    const unreachable = { code: 'server-unreachable' };
    await expect(parts.engineFor('postgresql').describe(at(own), signal)).rejects.toMatchObject(unreachable);
    await expect(
      parts.takerFor('postgresql').backup(at(own), { backupId: randomUUID(), signal }),
    ).rejects.toMatchObject(unreachable);
  });

  it('lets as many log-ins fail as the operator allows', async () => {
    const wrong = protocol.error('28P01', 'password authentication failed for user "backup"');
    server = await ScriptedServer.start({ login: (_, socket) => socket.end(wrong) !== undefined });
    const engine = (await partsWith({ ...here, STRONGROOM_FAILED_LOGINS: '1/60' })).engineFor('postgresql');
    const { port } = server;
    await expect(engine.describe(at(port), signal)).rejects.toMatchObject({ code: 'credentials-refused' });
    await expect(engine.describe(at(port), signal)).rejects.toMatchObject({ code: 'too-many-failed-logins' });
  });

  it('takes and restores backups in processes of their own', async () => {
    const { takerFor, restorerFor } = await partsWith(here);
    // Beside the sources there is no built program, so that a process of it ends at once.
    const ended = { code: 'engine-process-ended' };
    await expect(takerFor('postgresql').backup(at(1), { backupId: randomUUID(), signal })).rejects.toMatchObject(ended);
    await expect(restorerFor('postgresql').restore([], join(folder, 'restored'))).rejects.toMatchObject(ended);
  });

  it('keeps the space free, and each backup within the limits, that the operator has set', async () => {
    const parts = await partsWith({
      STRONGROOM_FREE_SPACE_RESERVE_MIB: '1000000',
      STRONGROOM_BACKUP_MOST_GIB: '3',
      STRONGROOM_BACKUP_LONGEST_HOURS: '2',
    });
    expect(parts.backupLimits).toMatchObject({ mostBytes: 3 * 2 ** 30, longestMs: 2 * 3_600_000 });
    const upload = await parts.vault.begin(randomUUID(), 1);
    async function* bytes() {
      yield Buffer.from('x');
    }
    await expect(upload.put('base.tar.zst', bytes())).rejects.toMatchObject({ code: 'vault-full' });
    await upload.discard();
  });

  it('does not build servers as root that have no users of their own, and warns where it is not root', async () => {
    const asked = partsWith({ STRONGROOM_BUILT_SERVERS: 'on', STRONGROOM_INSTANCES_DIR: join(folder, 'servers') });
    if (process.getuid?.() === 0) {
      await expect(asked).rejects.toThrow('STRONGROOM_BUILT_SERVERS_UIDS is not set');
    } else {
      await asked;
      expect(told.join()).toContain('Built servers run as the user of this scheduler');
    }
  });
});
