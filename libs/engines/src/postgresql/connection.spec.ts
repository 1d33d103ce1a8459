import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import * as protocol from '../../fixtures/protocol.js';
import { type Script, ScriptedServer } from '../../fixtures/scripted-server.js';
import { ServerConnection } from './connection.js';

const never = new AbortController().signal;
/** What a platform, a shell or an operator may have put into the environment of our process. */
const hostile = {
  PGUSER: 'postgres',
  PGPASSWORD: 'the-operators',
  PGPASSFILE: '/dev/null',
  PGHOST: 'elsewhere.invalid',
  PGHOSTADDR: '203.0.113.1',
  PGPORT: '1',
  PGDATABASE: 'theirs',
  PGSERVICE: 'theirs',
  PGSSLMODE: 'require',
  PGSSLNEGOTIATION: 'direct',
  PGOPTIONS: '-c search_path=theirs -c statement_timeout=1',
  PGAPPNAME: 'theirs',
  PGCLIENTENCODING: 'LATIN1',
  PGCLIENT_ENCODING: 'LATIN1',
  PGTZ: 'Asia/Tokyo',
  PGDATESTYLE: 'German',
  PGREPLICATION: 'database',
  PGCONNECT_TIMEOUT: '1',
  PGBINARY: 'true',
};
const cleartext = Buffer.from([0, 0, 0, 3]);

describe('a connection to a customer’s server', () => {
  let server: ScriptedServer | undefined;
  const before = { ...process.env };
  beforeEach(() => {
    Object.assign(process.env, hostile);
  });
  afterEach(async () => {
    for (const name of Object.keys(hostile)) delete process.env[name];
    Object.assign(process.env, before);
    await server?.stop();
  });

  async function open(script: Script, password = 'secret', speaks: 'replication' | 'sql' = 'replication') {
    server = await ScriptedServer.start(script);
    const endpoint = {
      host: '127.0.0.1',
      port: server.port,
      user: 'backup',
      database: 'shop',
      tls: 'disable',
    } as const;
    const target = { instanceId: '6f1c2b0a-0000-4000-8000-000000000001', endpoint, password };
    return ServerConnection.open(target, speaks, { connectMs: 10_000, answerMs: 10_000, signal: never });
  }

  it.each(['replication', 'sql'] as const)('for %s takes nothing from our environment', async (speaks) => {
    let asked: ReadonlyMap<string, string> = new Map();
    const login = (parameters: ReadonlyMap<string, string>) => {
      asked = parameters;
      return false;
    };
    (await open({ login }, 'secret', speaks)).destroy();
    expect(Object.fromEntries(asked)).toEqual({
      user: 'backup',
      database: 'shop',
      application_name: 'strongroom',
      client_encoding: 'UTF8',
      replication: speaks === 'replication' ? 'true' : 'false',
      options: expect.stringContaining('-c statement_timeout=0'),
    });
    expect(asked.get('options')).toContain('-c client_min_messages=notice');
    expect(asked.get('options')).not.toContain('theirs');
  });

  it.each(['', 'secret'])('sends the instance’s own password and never another: %p', async (password) => {
    const login: Script['login'] = (_, socket) => socket.write(protocol.message('R', cleartext)) || true;
    const connection = await open({ login }, password);
    connection.destroy();
    expect(server?.passwords).toEqual([password]);
  });

  it('ends with a fault where the server asks for a login that we do not have, and the process goes on', async () => {
    const gss = Buffer.from([0, 0, 0, 7]);
    const login: Script['login'] = (_, socket) => socket.write(protocol.message('R', gss)) || true;
    const refused = open({ login });
    await expect(refused).rejects.toMatchObject({ code: 'backup-not-permitted', retryable: false });
    await expect(refused).rejects.toThrow('way to log in that backups do not have');
  });

  it('through a pooler is told from one to the server, with what to do', async () => {
    const login: Script['login'] = (parameters, socket) => {
      const refused = parameters.has('replication');
      if (refused) socket.end(protocol.error('08P01', 'unsupported startup parameter: replication'));
      return refused;
    };
    const pooled = open({ login });
    await expect(pooled).rejects.toMatchObject({ code: 'backup-not-permitted', retryable: false });
    await expect(pooled).rejects.toThrow('the PostgreSQL server behind it');
  });

  it('is of no use with a server so old that it does not know our settings, which is told', async () => {
    const login: Script['login'] = (_, socket) => {
      socket.end(protocol.error('42704', 'unrecognized configuration parameter "idle_session_timeout"'));
      return true;
    };
    await expect(open({ login })).rejects.toMatchObject({ code: 'version-unsupported' });
  });

  it('says what was waited for when the server takes it and does not let it in', async () => {
    server = await ScriptedServer.start({ isSilent: true });
    const endpoint = {
      host: '127.0.0.1',
      port: server.port,
      user: 'backup',
      database: 'shop',
      tls: 'disable',
    } as const;
    const target = { instanceId: '6f1c2b0a-0000-4000-8000-000000000001', endpoint, password: 'secret' };
    const late = ServerConnection.open(target, 'replication', { connectMs: 200, answerMs: 10_000, signal: never });
    await expect(late).rejects.toMatchObject({ code: 'server-unreachable', retryable: true });
    await expect(late).rejects.toThrow('it took the connection, and did not let it in within 0.2 s');
    await expect(late).rejects.toThrow(`Tried: a replication connection to 127.0.0.1:${server.port} as "backup"`);
    await expect(late).rejects.not.toThrow(/secret/);
  });
});
