import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Endpoint } from '@strongroom/contracts';
import { CertificateAuthority } from '../../../../test/services/certificates.js';
import { type Script, ScriptedServer } from '../../../../test/services/scripted-server.js';
import * as protocol from '../../../../test/services/server-messages.js';
import { ServerConnection } from './connection.js';
import { isVerified } from './safe-login.js';

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
const authority = CertificateAuthority.create('authority of the server');
const certified = authority.issue({ name: 'db', hosts: ['127.0.0.1'] });
const asking = {
  cleartext: protocol.message('R', Buffer.from([0, 0, 0, 3])),
  md5: protocol.message('R', Buffer.from([0, 0, 0, 5, 1, 2, 3, 4])),
  scram: protocol.message('R', Buffer.from('\0\0\0\x0aSCRAM-SHA-256\0\0')),
  bound: protocol.message('R', Buffer.from('\0\0\0\x0aSCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0')),
};
type Asked = keyof typeof asking;

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

  async function open(
    script: Script,
    password = 'secret',
    speaks: 'replication' | 'sql' = 'replication',
    secured: Partial<Endpoint> = { tls: 'disable' },
  ) {
    server = await ScriptedServer.start(script);
    const place = { host: '127.0.0.1', port: server.port, user: 'backup', database: 'shop' };
    const endpoint = { ...place, tls: 'disable' as const, ...secured };
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
    const login: Script['login'] = (_, socket) => socket.write(asking.cleartext) || true;
    const verified = { tls: 'verify-full', caCertificate: authority.certificate } as const;
    const connection = await open({ login, tls: certified }, password, 'sql', verified);
    connection.destroy();
    expect(server?.passwords).toEqual([password]);
  });

  const own = { caCertificate: authority.certificate };
  const secured: Record<string, Partial<Endpoint>> = {
    disable: { tls: 'disable' },
    require: { tls: 'require' },
    'verify-ca': { tls: 'verify-ca', ...own },
    'verify-full': { tls: 'verify-full', ...own },
  };

  it.each<[string, Asked]>([
    ['disable', 'cleartext'],
    ['disable', 'md5'],
    ['require', 'cleartext'],
    ['require', 'md5'],
    // Somebody may stand between, who asks the server in our place.
    ['require', 'scram'],
  ])('with tls %s shows the password to nobody who asks for it by %s, and says what to do', async (tls, asked) => {
    const login: Script['login'] = (_, socket) => socket.write(asking[asked]) || true;
    const script = { login, ...(tls !== 'disable' && { tls: certified }) };
    const refused = open(script, 'sesame', 'replication', secured[tls]);
    await expect(refused).rejects.toMatchObject({ code: 'server-not-trusted', retryable: false });
    await expect(refused).rejects.toThrow(/was not sent.*tls "verify-full"/);
    expect(server?.passwords).toEqual([]);
  });

  it.each<[string, Asked, RegExp]>([
    ['disable', 'scram', /^SCRAM-SHA-256\0.{4}n,,/s],
    ['require', 'bound', /^SCRAM-SHA-256-PLUS\0.{4}p=tls-server-end-point,,/s],
    ['verify-ca', 'bound', /^SCRAM-SHA-256-PLUS\0/],
    ['verify-full', 'bound', /^SCRAM-SHA-256-PLUS\0/],
    // A server that does not know of the binding is told that we do.
    ['verify-full', 'scram', /^SCRAM-SHA-256\0.{4}y,,/s],
    ['verify-full', 'md5', /^md5/],
  ])('with tls %s answers a server that asks by %s', async (tls, asked, said) => {
    const login: Script['login'] = (_, socket) => socket.write(asking[asked]) || true;
    const opened = open({ login, ...(tls !== 'disable' && { tls: certified }) }, 'sesame', 'sql', secured[tls]);
    await opened.then((connection) => connection.destroy()).catch(() => {});
    expect(server?.passwords).toEqual([expect.stringMatching(said)]);
    expect(server?.passwords.join()).not.toContain('sesame');
  });

  it.each<Asked>(['cleartext', 'md5'])(
    'shows the password to no server that asks by SCRAM first and then by %s',
    async (then) => {
      const login: Script['login'] = (_, socket) => socket.write(asking.scram) || true;
      const loginAnswer: Script['loginAnswer'] = (_, socket) => socket.write(asking[then]) || true;
      await expect(open({ login, loginAnswer }, 'sesame')).rejects.toMatchObject({ code: 'server-not-trusted' });
      expect(server?.passwords).toEqual([expect.stringMatching(/^SCRAM-SHA-256\0/)]);
    },
  );

  it('trusts a public authority for the name of a server only when it compares the name', () => {
    const endpoint = { host: 'db', port: 1, user: 'u', database: 'd' };
    expect(isVerified({ ...endpoint, tls: 'verify-ca' })).toBe(false);
    expect(isVerified({ ...endpoint, tls: 'verify-ca', ...own })).toBe(true);
    expect(isVerified({ ...endpoint, tls: 'verify-full' })).toBe(true);
    expect(isVerified({ ...endpoint, tls: 'require' })).toBe(false);
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
