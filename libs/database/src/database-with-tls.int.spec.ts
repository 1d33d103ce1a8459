import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createLogger } from '@strongroom/runtime';
import { insteadOfRoot, PostgresServer } from '@strongroom/server-processes';
import { CertificateAuthority } from '../../../test/services/certificates.js';
import { openDataSource } from '../../../test/services/database.js';
import { eventually } from '../../../test/services/eventually.js';
import { newData } from '../../../test/services/new-data.js';
import { checkDatabase } from './check-database.js';

const authority = CertificateAuthority.create('authority of the ledger');
const log = createLogger({ app: 'spec', level: 'silent' });

describe('a database of the ledger that lets nobody in without TLS', () => {
  let folder: string;
  let server: PostgresServer;
  let files: { own: string; other: string };
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'strongroom-database-tls-'));
    files = { own: join(folder, 'ca.pem'), other: join(folder, 'other.pem') };
    await writeFile(files.own, authority.certificate);
    await writeFile(files.other, CertificateAuthority.create('another').certificate);
    await promisify(execFile)('chmod', ['711', folder]);
    const directory = join(folder, 'data');
    const password = await newData(directory);
    const { certificate, key } = authority.issue({ name: 'database', hosts: ['localhost'] });
    await writeFile(join(directory, 'server.crt'), certificate, { mode: 0o600 });
    await writeFile(join(directory, 'server.key'), key, { mode: 0o600 });
    const user = insteadOfRoot();
    if (user) await promisify(execFile)('chown', ['-R', `${user.uid}:${user.gid}`, directory]);
    server = await PostgresServer.start({
      directory,
      password,
      settings: { fsync: 'off', ssl: 'on' },
      logFile: join(folder, 'log'),
    });
    await writeFile(join(directory, 'pg_hba.conf'), 'hostssl all all all scram-sha-256\n');
    const admin = await openDataSource({ url: url({ sslrootcert: files.own }), applicationName: 'spec' });
    await admin.query('select pg_reload_conf()');
    await admin.destroy();
  }, 120_000);
  afterAll(async () => {
    await server?.kill();
    await rm(folder, { recursive: true, force: true });
  });

  function url(parameters: Record<string, string>, host = 'localhost'): string {
    const found = new URL(server.url());
    found.hostname = host;
    for (const [name, value] of Object.entries({ sslmode: 'verify-full', ...parameters })) {
      found.searchParams.set(name, value);
    }
    return found.href;
  }

  async function use(at: string): Promise<unknown> {
    await checkDatabase(at, log);
    const dataSource = await openDataSource({ url: at, applicationName: 'spec' });
    try {
      return await dataSource.query('select ssl, version from pg_stat_ssl where pid = pg_backend_pid()');
    } finally {
      await dataSource.destroy();
    }
  }

  it('is used with sslmode=verify-full and its authority, over TLS', async () => {
    await eventually(async () => expect(await use(url({ sslrootcert: files.own }))).toMatchObject([{ ssl: true }]), {
      withinMs: 30_000,
    });
  }, 60_000);

  it.each<[string, () => string, RegExp]>([
    ['another authority', () => url({ sslrootcert: files.other }), /certificate/],
    ['the authorities of Node', () => url({}), /certificate/],
    ['another name than that of its certificate', () => url({ sslrootcert: files.own }, '127.0.0.1'), /altnames/],
    ['no TLS', () => url({ sslmode: 'disable' }), /no encryption|pg_hba/],
  ])('is not used with %s', async (_, at, why) => {
    await eventually(async () => expect(use(at())).rejects.toThrow(why), { withinMs: 30_000 });
  });
});
