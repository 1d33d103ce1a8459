import { mkdir, rm, rmdir, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { streamOf } from '@strongroom/contracts';
import { type BackupTaker, type EngineBackup, EngineFault } from '@strongroom/engines';
import { processName } from '@strongroom/runtime';
import { type Vault, Vaults, type VaultUpload } from '@strongroom/vault';
import { PassingVault } from '../../../../../test/vaults/passing-vault.js';
import { RunnerWorld } from '../../../fixtures/runner-world.js';
import { BackupAttempt } from './backup-attempt.js';

const server = { host: '127.0.0.1', port: 1, user: 'backup', password: 'open sesame' };
let world: RunnerWorld;
let instanceId: string;

beforeAll(async () => {
  world = await RunnerWorld.create();
  instanceId = await world.register(server);
}, 120_000);
afterAll(() => world.remove());
afterEach(async () => {
  await rm(world.folder, { recursive: true, force: true });
  await mkdir(world.folder);
});

/** What nobody foresaw, with everything in it that a tenant must not see. */
const unforeseen = () =>
  Object.assign(
    new Error(`select * from ledger_event: ENOENT ${world.folder}/secret, pid ${process.pid} on ${hostname()}`),
    {
      query: 'select password from instance_credential',
    },
  );

/** Gives a backup of one chunk. */
class ChunkEngine implements BackupTaker {
  readonly readByIncrementals = [];

  async backup(): Promise<EngineBackup> {
    const chunk = async function* () {
      yield Buffer.from('a chunk');
    };
    const objects = (async function* () {
      yield { name: 'base.tar', source: chunk() };
    })();
    const told = { datastore: { type: 'postgresql' as const, version: '18.4' }, facts: { systemId: '7', timeline: 1 } };
    return { objects, estimatedBytes: null, result: Promise.resolve(told) };
  }
}

class FailingEngine extends ChunkEngine {
  override async backup(): Promise<EngineBackup> {
    throw unforeseen();
  }
}

class FailingVault extends PassingVault {
  override begin(): Promise<VaultUpload> {
    return Promise.reject(unforeseen());
  }
}

class FullVault extends PassingVault {
  override roomBytes(): Promise<number> {
    return Promise.resolve(0);
  }
}

const withoutVault = async () => {
  await rm(world.folder, { recursive: true, force: true });
};
const withFileForVault = async () => {
  await rmdir(world.folder);
  await writeFile(world.folder, 'no folder');
};

interface Case {
  prepare?: () => Promise<void>;
  vault?: () => Vault;
  engine?: ChunkEngine;
}

const cases: Record<string, Case> = {
  'the folder of the vault is not there': { prepare: withoutVault },
  'the vault is no folder': { prepare: withFileForVault },
  'the vault breaks in a way that nobody foresaw': { vault: () => new FailingVault(world.vault) },
  'the engine breaks in a way that nobody foresaw': { engine: new FailingEngine() },
  'the vault has no room': {
    vault: () => new Vaults(new Map([['DFW', new FullVault(world.vault)]]), { reserveBytes: 1 }).of('DFW'),
  },
};

it.each(Object.entries(cases))(
  'a fault tells its tenant nothing of the deployment when %s, and names the line of the log that has it',
  async (_, { prepare, vault = () => world.vault, engine = new ChunkEngine() }) => {
    const backupId = await world.request(instanceId);
    await prepare?.();
    const from = world.told.length;
    const runner = processName('scheduler');
    await new BackupAttempt(
      { ...world, runner, vault: vault(), vaults: { regions: ['DFW'] }, takerFor: () => engine },
      world.job('backup', backupId),
      world.hold(),
    ).perform();
    const events = (await world.ledger.readStream(streamOf('backup', backupId))).slice(1);
    const failed = events.find(({ type }) => type === 'BackupFailed');
    if (failed?.type !== 'BackupFailed') throw new Error('the backup has not failed');
    const told = JSON.stringify(events);
    for (const ours of [world.folder, '/tmp', hostname(), 'select ', 'ledger_event', 'ENO'])
      expect(told).not.toContain(ours);
    expect(told).not.toMatch(new RegExp(`\\b${process.pid}\\b`));
    const [, number = 'none'] = /finds why in the log, under ([0-9a-f]{8})\./.exec(failed.data.reason) ?? [];
    const line = world.told.slice(from).find((each) => each.includes(number));
    expect(line).toContain('"err":');
    expect(JSON.parse(line ?? '{}').err.message).toMatch(/\/|room/);
    await rm(world.folder, { recursive: true, force: true });
  },
);

it('a fault of a server keeps its words: they are of the account’s own server', async () => {
  class RefusingEngine extends ChunkEngine {
    override async backup(): Promise<EngineBackup> {
      throw new EngineFault('credentials-refused', 'The server at db.example.com refused the password.');
    }
  }
  const backupId = await world.request(instanceId);
  await new BackupAttempt(
    { ...world, vaults: { regions: ['DFW'] }, takerFor: () => new RefusingEngine() },
    world.job('backup', backupId),
    world.hold(),
  ).perform();
  const failed = (await world.ledger.readStream(streamOf('backup', backupId))).at(-1);
  expect(failed?.data).toMatchObject({ reason: 'The server at db.example.com refused the password.' });
});
