import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { type PostgresVersion, postgresOfVersion } from '../../../test/services/postgres-versions.js';
import { PostgresServer } from './postgres-server.js';

async function shown(server: PostgresServer, name: string): Promise<string> {
  const client = new pg.Client({ connectionString: server.url() });
  await client.connect();
  try {
    const { rows } = await client.query({ text: `show ${name}`, rowMode: 'array' });
    return String(rows[0]?.[0]);
  } finally {
    await client.end();
  }
}

describe('another version of PostgreSQL', () => {
  it.each<[PostgresVersion, string, boolean]>([
    ['15', '15.18', true],
    ['16', '16.14', false],
    ['17', '17.10', false],
    ['18.1', '18.1', false],
  ])('%s starts from its own package, with page checksums or without', async (version, tells, checksums) => {
    const programs = await postgresOfVersion(version);
    if (programs === undefined) return;
    const folder = mkdtempSync(join(tmpdir(), 'strongroom-version-'));
    chmodSync(folder, 0o711);
    const server = await PostgresServer.start({
      directory: join(folder, 'data'),
      password: 'secret',
      programs,
      checksums,
      settings: { fsync: 'off' },
      logFile: join(folder, 'log'),
    });
    try {
      expect((await shown(server, 'server_version')).split(' ')[0]).toBe(tells);
      expect(await shown(server, 'data_checksums')).toBe(checksums ? 'on' : 'off');
    } finally {
      await server.stop();
      if (!server.dataDirectory.startsWith(folder)) rmSync(dirname(server.dataDirectory), { recursive: true });
      rmSync(folder, { recursive: true });
    }
  });
});
