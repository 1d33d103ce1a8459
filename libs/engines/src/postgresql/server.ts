/** What a PostgreSQL server says of itself over a replication connection. */
import type pg from 'pg';
import { EngineFault } from '../engine-fault.js';

export interface Server {
  version: string;
  versionNumber: number;
  systemId: string;
  timeline: number;
  blockSize: number;
  /** Since version 17: whether it keeps what incrementals need to know. */
  summarizesWal: boolean;
}

const oldestVersion = 150_000;
export const oldestIncremental = 170_000;

/** @throws {EngineFault} `version-unsupported`; errors of the connection as they are */
export async function describe(client: pg.Client): Promise<Server> {
  const show = async (name: string) =>
    String(Object.values((await client.query<Record<string, unknown>>(`SHOW ${name}`)).rows[0] ?? {})[0] ?? '');
  const versionNumber = Number(await show('server_version_num'));
  const version = (await show('server_version')).split(' ')[0] ?? '';
  if (versionNumber < oldestVersion) {
    throw new EngineFault(
      'version-unsupported',
      `The server is PostgreSQL ${version}; backups are taken of version 15 and newer. Upgrade the server.`,
    );
  }
  const { rows } = await client.query<{ systemid: unknown; timeline: unknown }>('IDENTIFY_SYSTEM');
  return {
    version,
    versionNumber,
    systemId: String(rows[0]?.systemid ?? ''),
    timeline: Number(rows[0]?.timeline ?? 0),
    blockSize: Number(await show('block_size')),
    summarizesWal: versionNumber >= oldestIncremental && (await show('summarize_wal')) === 'on',
  };
}
