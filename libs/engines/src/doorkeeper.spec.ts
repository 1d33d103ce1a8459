import { describe, expect, it } from '@jest/globals';
import { createLogger, Networks } from '@strongroom/runtime';
import { Doorkeeper } from './doorkeeper.js';
import type { EngineTarget, EngineWithoutBackups } from './engine.js';
import type { BackupTaker } from './open-backup.js';
import { PostgresqlEngine } from './postgresql/postgresql-engine.js';
import { Reach } from './reach.js';

const { signal } = new AbortController();
const endpoint = { host: '127.0.0.1', port: 5432, user: 'backup', database: 'postgres', tls: 'disable' } as const;
const target: EngineTarget = { instanceId: '6f1c2b0a-0000-4000-8000-000000000001', endpoint, password: 'secret' };
/** The doorkeeper adds to it where the server may be dialled. */
const allowed = expect.objectContaining(target);
const guests = { users: { first: 700_000, last: 700_063 }, command: ['/usr/bin/bwrap', '--'] };
const facts = { systemId: '7' };

describe('an engine behind the doorkeeper', () => {
  /** A door, and what the engine behind it is asked. */
  function noting(): { guarded: EngineWithoutBackups; taker: BackupTaker; asked: [string, unknown[]][] } {
    const asked: [string, unknown[]][] = [];
    const engine = new Proxy(new PostgresqlEngine(), {
      get(real, name) {
        const found: unknown = Reflect.get(real, name);
        if (typeof found !== 'function') return found;
        return (...given: unknown[]) => {
          asked.push([String(name), given]);
          return { tried: [] };
        };
      },
    });
    const reach = new Reach({ customers: { networks: new Networks([['127.0.0.0', 8]]) } });
    const nobody = async () => {};
    const logins = { wasLetIn: async () => true, letIn: nobody, take: async () => [], giveBack: nobody };
    const log = createLogger({ app: 'spec', level: 'silent' });
    const door = new Doorkeeper({ engineFor: () => engine, reach, logins, log });
    return { guarded: door.engineFor('postgresql'), taker: door.before(engine), asked };
  }

  const restored = { directory: '/data', version: '18', scratch: '/scratch', signal };
  const cases: Record<string, [ask: (guarded: EngineWithoutBackups) => unknown, handedOn: unknown[]]> = {
    describe: [(guarded) => guarded.describe(target, signal), [allowed, signal]],
    test: [(guarded) => guarded.test(target, { withinMs: 5, signal }), [allowed, { withinMs: 5, signal }]],
    release: [(guarded) => guarded.release(target, ['b'], signal), [allowed, ['b'], signal]],
    abilitiesOf: [(guarded) => guarded.abilitiesOf('18'), ['18']],
    whyNoDescendant: [(guarded) => guarded.whyNoDescendant(facts, {}), [facts, {}]],
    chainMarker: [(guarded) => guarded.chainMarker('b'), ['b']],
    describeLeftover: [(guarded) => guarded.describeLeftover('b', endpoint), ['b', endpoint]],
    tryOut: [(guarded) => guarded.tryOut(restored), [restored]],
    serve: [(guarded) => guarded.serve('/servers', guests), ['/servers', guests]],
  };

  it('is whole: each of its methods is tried here', () => {
    const methods = Object.getOwnPropertyNames(Object.getPrototypeOf(noting().guarded));
    expect(Object.keys(cases).sort()).toEqual(methods.filter((name) => name !== 'constructor').sort());
  });

  it.each(Object.keys(cases))('gets everything that it is given: %s', async (name) => {
    const [ask, handedOn] = cases[name] ?? [];
    const { guarded, asked } = noting();
    await ask?.(guarded);
    expect(asked).toEqual([[name, handedOn]]);
  });

  it('gets everything that it is given: backup', async () => {
    const { taker, asked } = noting();
    await taker.backup(target, { backupId: 'b', signal });
    expect(asked).toEqual([['backup', [allowed, { backupId: 'b', signal }]]]);
  });
});
