import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Fault, streamOf } from '@strongroom/contracts';
import { instanceDecider } from '@strongroom/domain';
import {
  type Build,
  type Engine,
  EngineFault,
  type HostedData,
  type HostedServer,
  ServerHost,
} from '@strongroom/engines';
import { execute } from '@strongroom/ledger';
import { Instances } from '@strongroom/read-model';
import type { LeasedJob } from '@strongroom/runtime';
import { VaultFault, Vaults } from '@strongroom/vault';
import { eventually } from '../../../../../test/services/eventually.js';
import { PassingVault } from '../../../../../test/vaults/passing-vault.js';
import { storeRandomBackup } from '../../../../../test/vaults/stored-backup.js';
import { RunnerWorld } from '../../../fixtures/runner-world.js';
import { BackupAttempt } from '../backup/backup-attempt.js';
import { BuiltServer } from './built-server.js';
import { hostLane } from './host-lane.js';

let world: RunnerWorld;
let folder: string;
let instanceId: string;
let backupId: string;
const datastore = { type: 'postgresql', version: '18' } as const;

beforeAll(async () => {
  world = await RunnerWorld.create();
}, 120_000);
afterAll(() => world.remove());
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'strongroom-builds-'));
  instanceId = world.ids.next();
  backupId = (await storeRandomBackup(world.vault)).manifest.backupId;
  await world.record(streamOf('instance', instanceId), instanceId, {
    type: 'InstanceBuildRequested',
    data: { instanceId, name: 'restored', datastore, backupId },
  });
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const build = (parts: Partial<ConstructorParameters<typeof BuiltServer>[0]> = {}, job: Partial<LeasedJob> = {}) =>
  new BuiltServer(
    { ...world, folder, actor: 'spec', ...parts },
    world.job('instance', instanceId, job),
    world.hold(),
  ).perform();
const told = async () => (await world.ledger.readStream(streamOf('instance', instanceId))).map(({ type }) => type);
const shown = async () => {
  const [first] = await world.ledger.readStream(streamOf('instance', instanceId));
  const accountId = first?.accountId ?? '';
  await world.views.catchUp(accountId);
  return new Instances(world.dataSource).find(accountId, instanceId);
};

/** A host whose every use fails, or whose server does not run. */
class TroubledHost extends ServerHost {
  constructor(
    private readonly trouble: { builds?: unknown; starts?: unknown },
    private readonly data?: HostedData,
  ) {
    super();
  }
  whyNotBuilt(): string | undefined {
    return undefined;
  }
  async find(): Promise<HostedData | undefined> {
    return this.data;
  }
  async build(): Promise<Build | undefined> {
    throw this.trouble.builds;
  }
  async start(): Promise<HostedServer> {
    if (this.trouble.starts) throw this.trouble.starts;
    return { port: 5, isRunning: true, ended: new Promise(() => {}), stop: async () => {} };
  }
  async remove(): Promise<void> {}
  async held(): Promise<[]> {
    return [];
  }
  async removeAttempt(): Promise<void> {}
}
const on = (host: ServerHost) => {
  const engine: Engine = Object.create(world.engine, { serve: { value: () => host } });
  return { engineFor: () => engine };
};
const systemError = (code: string) => Object.assign(new Error(`${code}: made up, mkdir '/servers/x'`), { code });

/** The services of a machine tell its operator what can't be done there. */
class ProcessFault extends Fault<'still-runs'> {
  constructor() {
    super('still-runs', true, 'A built server runs as pid 77 in /etc/this and does not end.');
  }
}

describe('the build of a server', () => {
  it('makes the folder that is to hold the servers, when nobody has made it', async () => {
    const missing = join(folder, 'not', 'there');
    await build({ folder: missing });
    // The backup of the spec is of random bytes. What counts is that its content was the trouble, and not the folder.
    expect(await shown()).toMatchObject({
      status: 'ERROR',
      fault: { code: expect.not.stringMatching('restore-target') },
    });
  });

  it.each(['EACCES', 'EPERM', 'EROFS', 'ENOSPC', 'ENOTDIR', 'ENOENT'])(
    'where the folder can not be used ends in ERROR and names the setting, and only the log names the folder (%s)',
    async (code) => {
      expect(await build(on(new TroubledHost({ builds: systemError(code) })))).toBe('finished');
      expect(await shown()).toMatchObject({
        status: 'ERROR',
        fault: {
          code: 'restore-target-unusable',
          reason: expect.stringMatching(new RegExp(`^(?!.*(${folder}|/servers/x)).*STRONGROOM_INSTANCES_DIR`)),
        },
      });
      expect(world.told.at(-1)).toMatch(new RegExp(`${code}.*${folder}`));
    },
  );

  it('where the folder is a file ends in ERROR', async () => {
    const file = join(folder, 'file');
    await writeFile(file, '');
    await build({ folder: file });
    expect(await shown()).toMatchObject({ status: 'ERROR', fault: { code: 'restore-target-unusable' } });
    expect(JSON.stringify(await shown())).not.toContain(file);
    expect(world.told.at(-1)).toContain(file);
    await chmod(file, 0o600);
  });

  it.each([
    [new Error('nobody has thought of /etc/this'), 'unexpected'],
    [new EngineFault('server-did-not-start', 'It does not start.'), 'server-did-not-start'],
    [new ProcessFault(), 'unexpected'],
  ])(
    'which fails otherwise ends in ERROR, and what the system said is in the log alone (%p)',
    async (trouble, code) => {
      expect(await build(on(new TroubledHost({ builds: trouble })))).toBe('finished');
      expect(await shown()).toMatchObject({ status: 'ERROR', fault: { code } });
      expect(JSON.stringify(await shown())).not.toContain('/etc/this');
      expect(world.told.at(-1)).toContain(trouble.message);
    },
  );

  it('is tried again while the vaults are away, says so meanwhile, and ends in ERROR when that lasts', async () => {
    const away = new (class extends PassingVault {
      override async manifest(): Promise<never> {
        throw new VaultFault('vault-unavailable', 'DFW', 'The vault of DFW is away.');
      }
    })(world.vault);
    const vaults = new Vaults(new Map([['DFW', away]]));
    expect(await build({ vaults })).toEqual({ retryInMs: 5_000 });
    expect(await shown()).toMatchObject({ status: 'BUILD', fault: { code: 'vault-unavailable' } });
    let attempt = 2;
    for (; (await build({ vaults }, { attempt })) !== 'finished'; attempt += 1) expect(attempt).toBeLessThan(20);
    expect((await told()).at(-1)).toBe('InstanceBuildFailed');
    expect(await shown()).toMatchObject({ status: 'ERROR', fault: { code: 'vault-unavailable' } });
  }, 60_000);

  it('is tried again when its home region has lost the backup and the region that has it is away', async () => {
    const away = new (class extends PassingVault {
      override readonly region = 'IAD';
      override async manifest(): Promise<undefined> {
        throw new VaultFault('vault-unavailable', 'IAD', 'The vault of IAD is away.');
      }
    })(world.vault);
    await world.vault.purge(backupId, 1);
    const vaults = new Vaults(
      new Map([
        ['DFW', world.vault],
        ['IAD', away],
      ]),
    );
    expect(await build({ vaults })).toEqual({ retryInMs: 5_000 });
    expect(await shown()).toMatchObject({ status: 'BUILD', fault: { code: 'vault-unavailable' } });
  });

  it('that has ended its scheduler again and again is given up', async () => {
    expect(await build({}, { failures: 5 })).toBe('finished');
    expect(await shown()).toMatchObject({ status: 'ERROR', fault: { code: 'runner-lost' } });
  });
});

describe('the job of a built server', () => {
  const lane = 'host-of-the-spec';
  const started = async () => {
    const context = { requestId: 'r', correlationId: 'r', causationId: null, actor: 'spec' };
    const target = { id: instanceId, accountId: 'acme', instanceId, context };
    const endpoint = { host: '127.0.0.1', port: 5, user: 'postgres', database: 'postgres', tls: 'disable' } as const;
    await execute(world, instanceDecider, target, { type: 'CompleteBuild', endpoint, region: 'DFW' });
  };
  const here = () => on(new TroubledHost({}, { directory: folder, region: 'DFW' }));
  const nowhere = () => on(new TroubledHost({}));

  it('waits in the lane of the host that has its data, and in no other', async () => {
    await started();
    expect(await build({ ...here(), lane })).toEqual({ retryInMs: 0, lane });
    expect(await build({ ...nowhere(), lane })).toMatchObject({ lane: '' });
    expect(await build({ ...nowhere(), lane }, { lane })).toMatchObject({ lane: '' });
  });

  it('is left to other hosts where there is no room, and nothing is restored then', async () => {
    expect(await build({ ...nowhere(), lane, hasRoom: async () => false })).toEqual({ retryInMs: 5_000 });
    expect(await told()).toEqual(['InstanceBuildRequested']);
  });

  it('has the same lane as long as the folder is the same, whichever process asks', async () => {
    const first = hostLane(join(folder, 'servers'));
    expect(first).toMatch(/^host-[0-9a-f-]{36}$/);
    expect(hostLane(join(folder, 'servers'))).toBe(first);
    expect(hostLane(join(folder, 'others'))).not.toBe(first);
    await writeFile(join(folder, 'file'), '');
    expect(hostLane(join(folder, 'file'))).toMatch(/^host-/);
  });
});

it('a built server is backed up only where its data are: another server may listen on its port elsewhere', async () => {
  const asked = { requestId: 'r', correlationId: 'r', causationId: null, actor: 'spec' };
  const target = { id: instanceId, accountId: 'acme', instanceId, context: asked };
  const endpoint = { host: '127.0.0.1', port: 5, user: 'postgres', database: 'postgres', tls: 'disable' } as const;
  await execute(world, instanceDecider, target, { type: 'CompleteBuild', endpoint, region: 'DFW' });
  const backup = await world.request(instanceId);
  const engine: Engine = Object.create(world.engine, {
    backup: {
      value: async () => {
        throw new Error('the wrong server was asked');
      },
    },
  });
  const parts = { ...world, takerFor: () => engine, isServedHere: async () => false };
  await new BackupAttempt(parts, world.job('backup', backup), world.hold()).perform();
  const last = (await world.ledger.readStream(streamOf('backup', backup))).at(-1);
  expect(last).toMatchObject({
    type: 'BackupFailed',
    data: { code: 'server-unreachable', reason: expect.stringContaining('was built on another host') },
  });
});

describe('a built server that does not run', () => {
  it('gives its place to others when that has happened before, and is tried again later', async () => {
    const context = { requestId: 'r', correlationId: 'r', causationId: null, actor: 'spec' };
    const target = { id: instanceId, accountId: 'acme', instanceId, context };
    const endpoint = { host: '127.0.0.1', port: 5, user: 'postgres', database: 'postgres', tls: 'disable' } as const;
    await execute(world, instanceDecider, target, { type: 'CompleteBuild', endpoint, region: 'DFW' });
    const starts = new EngineFault('server-did-not-start', 'It does not start.', {
      cause: new Error('a line of its log'),
    });
    const host = new TroubledHost({ starts }, { directory: folder, region: 'DFW' });
    expect(await build(on(host), { failures: 1 })).toEqual({ retryInMs: 300_000, hasFailed: true });
    expect(await shown()).toMatchObject({ status: 'ACTIVE', fault: { code: 'server-did-not-start' } });
    expect(JSON.stringify(await world.ledger.readStream(streamOf('instance', instanceId)))).not.toContain(
      'a line of its log',
    );
    expect(world.told.join('')).toContain('a line of its log');
  }, 60_000);

  it('has its fault on the instance, once, until it runs', async () => {
    const target = {
      id: instanceId,
      accountId: 'acme',
      instanceId,
      context: { requestId: 'r', correlationId: 'r', causationId: null, actor: 'spec' },
    };
    const endpoint = { host: '127.0.0.1', port: 5, user: 'postgres', database: 'postgres', tls: 'disable' } as const;
    await execute(world, instanceDecider, target, { type: 'CompleteBuild', endpoint, region: 'DFW' });
    const trouble: { starts?: unknown } = { starts: new EngineFault('server-did-not-start', 'It does not start.') };
    const stop = new AbortController();
    const keeping = new BuiltServer(
      { ...world, folder, actor: 'spec', ...on(new TroubledHost(trouble, { directory: folder, region: 'DFW' })) },
      world.job('instance', instanceId, {}),
      { ...world.hold(), signal: stop.signal },
    )
      .perform()
      .catch(() => {});
    try {
      await eventually(
        async () => expect(await shown()).toMatchObject({ status: 'ACTIVE', fault: { code: 'server-did-not-start' } }),
        { withinMs: 20_000 },
      );
      await eventually(() => expect(world.told.filter((line) => line.includes('is down')).length).toBeGreaterThan(1), {
        withinMs: 20_000,
      });
      expect((await told()).filter((type) => type === 'InstanceServerDown')).toHaveLength(1);
      delete trouble.starts;
      await eventually(async () => expect(await shown()).toMatchObject({ status: 'ACTIVE', fault: null }), {
        withinMs: 40_000,
      });
    } finally {
      stop.abort(new Error('the spec ends'));
      await keeping;
    }
  }, 120_000);
});
