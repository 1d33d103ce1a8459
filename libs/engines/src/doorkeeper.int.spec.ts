import { randomUUID } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Endpoint } from '@strongroom/contracts';
import { createLogger, type FailedLogins, Networks, ServerLogins } from '@strongroom/runtime';
import type { DataSource } from 'typeorm';
import { connectTestDatabase, type TestDatabase } from '../../../test/services/database.js';
import { eventually } from '../../../test/services/eventually.js';
import { type Script, ScriptedServer } from '../../../test/services/scripted-server.js';
import * as protocol from '../../../test/services/server-messages.js';
import { portsOfOthers } from '../fixtures/ports-of-others.js';
import { Doorkeeper } from './doorkeeper.js';
import type { EngineTarget, EngineWithoutBackups } from './engine.js';
import { EngineFault } from './engine-fault.js';
import type { BackupTaker } from './open-backup.js';
import { PostgresqlEngine } from './postgresql/postgresql-engine.js';
import { Reach, type ReachOptions } from './reach.js';

const engine = new PostgresqlEngine({ connectMs: 1_000 });
const never = new AbortController().signal;
setMaxListeners(0, never);
const loopback = new Networks([['127.0.0.0', 8]]);
const names = ['db.example.com', 'other.example.com', 'inner.example.com'];
const wrong: Script = {
  login: (_, socket) => {
    socket.end(protocol.error('28P01', 'password authentication failed for user "backup"'));
    return true;
  },
};

describe('the doorkeeper before customers’ servers', () => {
  let database: TestDatabase;
  let dataSource: DataSource;
  const lines: string[] = [];
  const stopped: (() => Promise<void>)[] = [];
  beforeAll(async () => {
    ({ database, dataSource } = await connectTestDatabase({ applicationName: 'doorkeeper-spec' }));
  });
  beforeEach(async () => {
    lines.length = 0;
    await dataSource.query('delete from refused_login; delete from server_login');
  });
  afterEach(async () => {
    for (const stop of stopped.splice(0)) await stop();
  });
  afterAll(async () => {
    await dataSource.destroy();
    await database.drop();
  });

  /** The names lead to the loopback interface, but one that leads to a private network. */
  function door(limit?: FailedLogins, more: Partial<ReachOptions> = {}): EngineWithoutBackups & BackupTaker {
    const keeper = doorkeeper(limit, more);
    return Object.assign(keeper.engineFor('postgresql'), keeper.before(engine));
  }

  function doorkeeper(
    limit: FailedLogins = { most: 3, withinMs: 60_000 },
    more: Partial<ReachOptions> = {},
  ): Doorkeeper {
    const lookup = async (host: string) => {
      if (!names.includes(host)) throw new Error(`getaddrinfo ENOTFOUND ${host}`);
      return [host === 'inner.example.com' ? '10.0.0.5' : '127.0.0.1'];
    };
    const customers = { networks: loopback, minTls: 'disable' } as const;
    const log = createLogger({ app: 'spec', level: 'info', to: { write: (line) => void lines.push(line) } });
    const reach = new Reach({ customers, lookup, ...more });
    const logins = new ServerLogins(dataSource, limit);
    return new Doorkeeper({ engineFor: () => engine, reach, logins, log });
  }

  /** A log-in at a server that is far away, as an engine would tell of it. */
  async function loginAt(
    door: Doorkeeper,
    asked: EngineTarget,
    { letInAt, fails = letInAt === undefined }: { letInAt?: string; fails?: boolean },
  ): Promise<{ isKnown: boolean | undefined; code: string }> {
    let isKnown: boolean | undefined;
    const work = async (allowed: EngineTarget) => {
      ({ isKnown } = allowed);
      allowed.onLogin?.({ is: 'asked' });
      if (letInAt !== undefined) allowed.onLogin?.({ is: 'let-in', address: letInAt });
      if (fails) throw new EngineFault('server-stalled', 'the server thinks about it for longer than anybody waits');
    };
    const { code } = await fault(door.through(asked, never, work));
    return { isKnown, code };
  }

  async function scripted(script: Script): Promise<ScriptedServer> {
    const server = await ScriptedServer.start(script);
    stopped.push(() => server.stop());
    return server;
  }

  function target(port: number, endpoint: Partial<Endpoint> = {}, instanceId: string = randomUUID()): EngineTarget {
    const place = { host: 'db.example.com', port, user: 'backup', database: 'shop', tls: 'disable' } as const;
    return { instanceId, endpoint: { ...place, ...endpoint }, password: 'secret' };
  }
  const fault = (asked: Promise<unknown>): Promise<{ code: string; message: string }> =>
    asked.then(
      () => ({ code: 'none', message: '' }),
      (error: { code: string; message: string }) => error,
    );

  it('tells the same of a host that never let the instance in, whatever is there or is not', async () => {
    const told = new Set<string>();
    for (const port of await portsOfOthers(stopped)) {
      for (const tls of ['disable', 'require'] as const) {
        const { code, message } = await fault(door().describe(target(port, { tls }), never));
        told.add(`${code}: ${message.replace(String(port), 'PORT')}`);
      }
    }
    for (const host of ['nowhere.example.com', 'inner.example.com']) {
      const { code, message } = await fault(door().describe(target(5_432, { host }), never));
      told.add(`${code}: ${message.replace(`${host}:5432`, 'db.example.com:PORT')}`);
    }
    expect([...told]).toEqual([
      expect.stringMatching(/^server-unreachable: No database server was reached at db\.example\.com:PORT\./),
    ]);
    // The operator sees what it was.
    expect(lines.join()).toMatch(/ECONNREFUSED.*10\.0\.0\.5/s);
  }, 60_000);

  it('tells the same in a test of the connection, whatever is there or is not', async () => {
    const told = new Set<string>();
    for (const port of await portsOfOthers(stopped)) {
      const { server, full, incremental, tried } = await door().test(target(port), { withinMs: 1_000 });
      expect([server, full.fault?.code]).toEqual([undefined, 'server-unreachable']);
      for (const each of [...full.missing, ...incremental.missing, ...tried.map((step) => step.fault?.message ?? '')]) {
        told.add(each.replaceAll(String(port), 'PORT'));
      }
    }
    expect(told.size).toBe(1);
  }, 60_000);

  it('tells what a server of the right kind says, also one that lets nobody in', async () => {
    const server = await scripted(wrong);
    const refused = await fault(door().describe(target(server.port), never));
    expect(refused.code).toBe('credentials-refused');
    expect(refused.message).toContain('password authentication failed for user');
  });

  it('tells everything of a host that has let the instance in, and of that instance alone', async () => {
    const server = await ScriptedServer.start({});
    const { port } = server;
    const known = target(port);
    await door().describe(known, never);
    await server.stop();
    expect((await fault(door().describe(known, never))).message).toContain('ECONNREFUSED');
    for (const other of [target(port), target(port, { host: 'other.example.com' }, known.instanceId)]) {
      expect((await fault(door().describe(other, never))).message).not.toContain('ECONNREFUSED');
    }
  });

  it('dials the address that was judged, though the name leads elsewhere a moment later', async () => {
    const server = await scripted({});
    const turns = [['127.0.0.1'], ['10.0.0.5'], ['10.0.0.5']];
    const rebinding = door(undefined, { lookup: async () => turns.shift() ?? [] });
    await rebinding.describe(target(server.port), never);
    expect(server.commands.length).toBeGreaterThan(0);
    expect(turns).toHaveLength(2);
  });

  it('dials nothing that is not allowed', async () => {
    const server = await scripted({});
    const strict = door(undefined, { customers: { networks: new Networks([]), minTls: 'disable' } });
    for (const host of ['127.0.0.1', 'db.example.com', '::ffff:127.0.0.1']) {
      await expect(strict.describe(target(server.port, { host }), never)).rejects.toMatchObject({
        name: 'EngineFault',
      });
      const tested = await strict.test(target(server.port, { host }), { withinMs: 1_000 });
      expect(tested.server).toBeUndefined();
      await expect(strict.release(target(server.port, { host }), [], never)).rejects.toThrow();
      const backup = { backupId: randomUUID(), signal: never };
      await expect(strict.backup(target(server.port, { host }), backup)).rejects.toThrow();
    }
    expect([server.sockets.size, server.commands]).toEqual([0, []]);
  });

  it('lets no more log-ins fail at a server than the operator allows, over all accounts, names and processes', async () => {
    const server = await scripted(wrong);
    const hosts = ['db.example.com', 'other.example.com', '127.0.0.1'];
    for (const host of hosts) {
      expect((await fault(door().describe(target(server.port, { host }), never))).code).toBe('credentials-refused');
    }
    for (const host of hosts) {
      const refused = await fault(door().describe(target(server.port, { host }), never));
      expect(refused).toMatchObject({ code: 'too-many-failed-logins', retryable: true });
      expect(refused.message).toContain('STRONGROOM_FAILED_LOGINS');
    }
    // Another server is another matter.
    const other = await scripted(wrong);
    expect((await fault(door().describe(target(other.port), never))).code).toBe('credentials-refused');
    await dataSource.query(`update refused_login set refused_at = refused_at - interval '2 minutes'`);
    expect((await fault(door().describe(target(server.port), never))).code).toBe('credentials-refused');
  });

  it('lets nobody try whom no server knows, and everybody else, where the operator allows no failure', async () => {
    const server = await scripted({});
    const known = target(server.port);
    await door().describe(known, never);
    const strict = door({ most: 0, withinMs: 60_000 });
    expect((await fault(strict.describe(target(server.port), never))).code).toBe('too-many-failed-logins');
    for (let round = 0; round < 2; round += 1) expect((await fault(strict.describe(known, never))).code).toBe('none');
  });

  it('lets no more fail when many come at once', async () => {
    const server = await scripted(wrong);
    const asked = Array.from({ length: 12 }, () => fault(door().describe(target(server.port), never)));
    const codes = (await Promise.all(asked)).map(({ code }) => code);
    expect(codes.filter((code) => code === 'credentials-refused')).toHaveLength(3);
    expect(codes.filter((code) => code === 'too-many-failed-logins')).toHaveLength(9);
  });

  it('gives each account its share of the log-ins that may fail: none uses up those of the others', async () => {
    const server = await scripted(wrong);
    const attempt = async (accountId: string) =>
      (await fault(door({ most: 4, withinMs: 60_000 }).describe({ ...target(server.port), accountId }, never))).code;
    const greedy = await Promise.all(Array.from({ length: 8 }, () => attempt('greedy')));
    expect(greedy.filter((code) => code === 'credentials-refused')).toHaveLength(2);
    expect([await attempt('second'), await attempt('second'), await attempt('second')]).toEqual([
      'credentials-refused',
      'credentials-refused',
      'too-many-failed-logins',
    ]);
    // All are used up, and an account that has failed nowhere may still try once.
    expect([await attempt('third'), await attempt('third')]).toEqual(['credentials-refused', 'too-many-failed-logins']);
    // Without a number nobody tries.
    const none = door({ most: 0, withinMs: 60_000 });
    const refused = await fault(none.describe({ ...target(server.port), accountId: 'fourth' }, never));
    expect(refused.code).toBe('too-many-failed-logins');
  });

  it('counts nothing but refusals, and keeps nobody out who was let in before', async () => {
    let isWrong = false;
    const login: Script['login'] = (parameters, socket) => isWrong && (wrong.login?.(parameters, socket) ?? false);
    const server = await scripted({ login });
    const known = target(server.port);
    for (let round = 0; round < 5; round += 1) await door().describe(known, never);
    for (let round = 0; round < 5; round += 1) await fault(door().describe(target(1), never));
    isWrong = true;
    for (let round = 0; round < 4; round += 1) await fault(door().describe(target(server.port), never));
    isWrong = false;
    expect((await fault(door().describe(target(server.port), never))).code).toBe('too-many-failed-logins');
    expect((await fault(door().describe(known, never))).code).toBe('none');
    // It has a count of its own.
    isWrong = true;
    const codes: string[] = [];
    for (let round = 0; round < 4; round += 1) codes.push((await fault(door().describe(known, never))).code);
    expect(codes).toEqual([...Array(3).fill('credentials-refused'), 'too-many-failed-logins']);
  });

  it('counts a test of the connection once, which logs in several times', async () => {
    const server = await scripted(wrong);
    for (let round = 0; round < 3; round += 1) {
      const { full } = await door().test(target(server.port), { withinMs: 5_000 });
      expect(full.fault?.code).toBe('credentials-refused');
    }
    const { full } = await door().test(target(server.port), { withinMs: 5_000 });
    expect(full.fault?.code).toBe('too-many-failed-logins');
  });

  describe('a name that its owner leads elsewhere', () => {
    const [own, others] = ['93.184.216.34', '93.184.216.35'];
    let where: string[] = [];
    const rebinding = () => doorkeeper(undefined, { lookup: async () => where });

    it('makes nobody known at another server, alone or beside the one that is known', async () => {
      const tenant = target(5_432);
      where = [own];
      expect(await loginAt(rebinding(), tenant, { letInAt: own })).toEqual({ isKnown: false, code: 'none' });
      expect(await loginAt(rebinding(), tenant, { letInAt: own })).toEqual({ isKnown: true, code: 'none' });
      for (where of [[others], [own, others], [others, own]]) {
        expect(await loginAt(rebinding(), tenant, { letInAt: own })).toMatchObject({ isKnown: false });
      }
      where = [own];
      expect(await loginAt(rebinding(), tenant, { letInAt: own })).toMatchObject({ isKnown: true });
    });

    it('brings no more guesses at another server, however many instances were let in at the own one', async () => {
      const codes: string[] = [];
      for (let instance = 0; instance < 5; instance += 1) {
        const tenant = target(5_432);
        where = [own];
        await loginAt(rebinding(), tenant, { letInAt: own });
        where = [others];
        codes.push((await loginAt(rebinding(), tenant, {})).code);
      }
      expect(codes).toEqual([...Array(3).fill('server-stalled'), ...Array(2).fill('too-many-failed-logins')]);
    });

    it('is told of no more than before, where it leads to what nobody may reach', async () => {
      const tenant = target(5_432);
      where = [own];
      await loginAt(rebinding(), tenant, { letInAt: own });
      where = ['10.0.0.5'];
      const told = await fault(rebinding().through(tenant, never, async () => {}));
      expect(told).toMatchObject({ code: 'server-unreachable' });
      expect(told.message).not.toContain('10.0.0.5');
    });
  });

  it('believes nobody who was let in at an address that was not to be dialled', async () => {
    const where = ['93.184.216.34'];
    const far = doorkeeper(undefined, { lookup: async () => where });
    const tenant = target(5_432);
    await loginAt(far, tenant, { letInAt: '93.184.216.35' });
    where[0] = '93.184.216.35';
    expect(await loginAt(far, tenant, {})).toMatchObject({ isKnown: false });
  });

  it('counts a password that was sent and whose answer nobody has waited for', async () => {
    const far = doorkeeper(undefined, { lookup: async () => ['93.184.216.34'] });
    const codes: string[] = [];
    for (let guess = 0; guess < 4; guess += 1) codes.push((await loginAt(far, target(5_432), {})).code);
    expect(codes).toEqual([...Array(3).fill('server-stalled'), 'too-many-failed-logins']);
  });

  it('counts a server by one name, however its address is written and whichever of the loopback interface it is', async () => {
    const customers = {
      networks: new Networks([
        ['127.0.0.0', 8],
        ['::1', 128],
        ['fd12::', 16],
      ]),
      minTls: 'disable',
    } as const;
    for (const hosts of [
      ['fd12::5', 'fd12:0::5', 'FD12:0:0:0:0:0:0:5', 'fd12::0.0.0.5'],
      ['93.184.216.34', '::ffff:93.184.216.34', '64:ff9b::5db8:d822', '::ffff:5db8:d822'],
      ['127.0.0.1', '127.0.0.2', '::1', '::ffff:127.0.0.1'],
    ]) {
      const codes: string[] = [];
      for (const host of hosts) {
        codes.push((await loginAt(doorkeeper(undefined, { customers }), target(5_432, { host }), {})).code);
      }
      expect([hosts, codes]).toEqual([hosts, [...Array(3).fill('server-stalled'), 'too-many-failed-logins']]);
    }
  });

  it('takes its place among the log-ins that may fail no longer than until it is let in', async () => {
    const far = doorkeeper(undefined, { lookup: async () => ['93.184.216.34'] });
    let end: () => void = () => {};
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    const running = Array.from({ length: 3 }, () =>
      far.through(target(5_432), never, async ({ onLogin }) => {
        onLogin?.({ is: 'asked' });
        onLogin?.({ is: 'let-in', address: '93.184.216.34' });
        await ended;
      }),
    );
    await eventually(async () => expect(await dataSource.query('select from refused_login')).toEqual([]), {
      withinMs: 20_000,
    });
    end();
    await Promise.all(running);
  });

  it('tells nobody where the services of the deployment are', async () => {
    const networks = new Networks([['10.0.0.0', 8]]);
    const ownServices = [{ host: '10.0.0.9', port: 5_432 }];
    const own = door(undefined, { customers: { networks, minTls: 'disable' }, ownServices });
    for (const host of ['10.0.0.9', '::ffff:10.0.0.9']) {
      const told = await fault(own.describe(target(5_432, { host }), never));
      expect(told).toMatchObject({
        code: 'server-unreachable',
        message: expect.stringContaining('No database server'),
      });
    }
    expect(lines.join()).toContain('The instance is at 10.0.0.9:5432');
  });

  it('remembers of a name no more addresses than there is room for', async () => {
    const tenant = target(5_432);
    const where = [''];
    const far = doorkeeper(undefined, { lookup: async () => where });
    for (let at = 1; at <= 70; at += 1) {
      where[0] = `93.184.216.${at}`;
      await loginAt(far, tenant, { letInAt: `93.184.216.${at}` });
    }
    expect(await dataSource.query('select from server_login')).toHaveLength(64);
    expect(await loginAt(far, tenant, { letInAt: '93.184.216.70' })).toMatchObject({ isKnown: true });
  });
});
