/**
 * What a stranger's server may try on us, and what comes of it: the attempt ends with a fault that says so, in little memory and
 * in time.
 */
import { afterAll, afterEach, describe, expect, it } from '@jest/globals';
import {
  aboutItself,
  begins,
  endlessly,
  type HostileCase,
  ofBackup,
} from '../../../../test/services/hostile-servers.js';
import { patience as slowness } from '../../../../test/services/patience.js';
import { type Script, ScriptedServer } from '../../../../test/services/scripted-server.js';
import * as protocol from '../../../../test/services/server-messages.js';
import { unprintableWords } from '../../../../test/services/unprintable-words.js';
import { tried as measured, type Tried, TriedAttacks } from '../../fixtures/tried-attacks.js';
import { EngineFault } from '../engine-fault.js';
import type { ServerPatience } from './connection.js';
import { PostgresqlEngine } from './postgresql-engine.js';

const mebibyte = 1_048_576;
const never = new AbortController().signal;
/** For servers that are to be found out by what they say, and not by the time that they take. */
const patientMs = 20_000 * slowness;
const patient: Partial<ServerPatience> = {
  answerMs: patientMs,
  beginMs: patientMs,
  stallMs: patientMs,
  heldMs: patientMs,
};
const quick: Partial<ServerPatience> = {
  answerMs: 400 * slowness,
  beginMs: 400 * slowness,
  stallMs: 400 * slowness,
  heldMs: 1_500 * slowness,
};
/** Tests ask over an ordinary connection too, which is not what is looked at here. */
const onlyReplication: NonNullable<Script['login']> = (parameters, socket) => {
  if (parameters.get('replication') === 'true') return false;
  socket.end(protocol.error('3D000', 'there is no such database'));
  return true;
};
const mostMemory = 96 * mebibyte;
const mostMs = 10_000;

describe('a hostile server', () => {
  const table = new TriedAttacks();
  let server: ScriptedServer | undefined;
  afterEach(() => server?.stop());
  afterAll(() => table.write('servers'));

  async function faultOf(
    { script, code }: HostileCase,
    attempt: (engine: PostgresqlEngine, target: Target) => Promise<unknown>,
  ) {
    server = await ScriptedServer.start({ ...script, login: script.login ?? onlyReplication });
    const endpoint = {
      host: '127.0.0.1',
      port: server.port,
      user: 'backup',
      database: 'postgres',
      tls: 'disable',
    } as const;
    const target = { instanceId: '6f1c2b0a-0000-4000-8000-000000000001', endpoint, password: 'secret' };
    const engine = new PostgresqlEngine(code.endsWith('-stalled') ? quick : patient);
    return measured(() => attempt(engine, target));
  }
  type Target = Parameters<PostgresqlEngine['backup']>[0];

  function expectEnded(what: string, { code, says }: HostileCase, came: Tried) {
    const { error, memory, ms } = came;
    table.add(what, came);
    expect(error).toBeInstanceOf(EngineFault);
    expect(error).toMatchObject({ code });
    const { message } = error as EngineFault;
    if (says) expect(message).toMatch(says);
    expect(message).not.toMatch(/\p{Cc}/u);
    expect(message.length).toBeLessThan(2_000);
    expect(memory).toBeLessThan(mostMemory);
    expect(ms).toBeLessThan(mostMs * slowness);
  }

  const words = [...aboutItself, ...unprintableWords];

  it.each(words)('that says %s is found out when it is asked', async (what, tried) => {
    expectEnded(what, tried, await faultOf(tried, (engine, target) => engine.describe(target, never)));
  });

  it.each(words)('that says %s is found out when it is tested', async (what, tried) => {
    const test = async (engine: PostgresqlEngine, target: Target) => {
      const { full } = await engine.test(target, { withinMs: 30_000 });
      throw full.fault ?? new Error('it passed the test');
    };
    if (what.includes('history')) return;
    expectEnded(`${what} (test)`, tried, await faultOf(tried, test));
  });

  it.each([...words.filter(([what]) => !what.includes('history')), ...ofBackup])(
    'that sends %s is found out during a backup',
    async (what, tried) => {
      const backup = async (engine: PostgresqlEngine, target: Target) => {
        const running = await engine.backup(target, { backupId: 'b', signal: never });
        for await (const { source } of running.objects) for await (const _ of source);
        await running.result;
      };
      expectEnded(`${what} (backup)`, tried, await faultOf(tried, backup));
    },
  );

  it('that cuts an archive into parts of one byte takes no memory for each', async () => {
    const crumbs = protocol.data(Buffer.from('x'));
    const script = { backup: endlessly(crumbs, { before: [...begins, protocol.archive('base.tar')] }) };
    const backup = async (engine: PostgresqlEngine, target: Target) => {
      const running = await engine.backup(target, { backupId: 'b', signal: never });
      await running.result;
    };
    const tried = { script, code: 'reader-stalled' };
    expectEnded('an archive in parts of one byte, which nobody reads', tried, await faultOf(tried, backup));
  });
});
