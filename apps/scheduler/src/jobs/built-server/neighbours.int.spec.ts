import { mkdtemp, readdir, readlink, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { streamOf } from '@strongroom/contracts';
import { EnginesApart } from '@strongroom/engines';
import { CustomerDatabase } from '../../../../../test/customer-database.js';
import { eventually } from '../../../../../test/services/eventually.js';
import { RunnerWorld } from '../../../fixtures/runner-world.js';
import { BackupAttempt } from '../backup/backup-attempt.js';
import { BuiltServer } from './built-server.js';

const root = join(__dirname, '..', '..', '..', '..', '..');
const memoryBytes = 384 * 1_048_576;
const program = join(root, 'dist', 'libs', 'engines', 'src', 'apart', 'engine-process.js');
const apart = new EnginesApart({ memoryBytes, program: [program] });
/** Processes of an engine that a stranger's bytes have made do this. */
const spoilt = (name: string) =>
  new EnginesApart({
    memoryBytes,
    stuckMs: 3_000,
    program: [join(root, 'scripts', 'run-typescript.cjs'), join(root, 'libs', 'engines', 'fixtures', name)],
  });

describe('a server that is built of a backup which spoils the process that restores it', () => {
  let customer: CustomerDatabase;
  let world: RunnerWorld;
  let backupId: string;
  let folder: string;
  beforeAll(async () => {
    customer = await CustomerDatabase.start({ megabytes: 1 });
    world = await RunnerWorld.create();
    backupId = await world.request(await world.register(customer.server));
    const parts = { ...world, vaults: { regions: ['DFW'] } };
    await new BackupAttempt(parts, world.job('backup', backupId), world.hold()).perform();
  }, 120_000);
  afterAll(async () => {
    await world.remove();
    await customer.stop();
  });
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'strongroom-builds-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  async function asked(): Promise<string> {
    const instanceId = world.ids.next();
    await world.record(streamOf('instance', instanceId), instanceId, {
      type: 'InstanceBuildRequested',
      data: { instanceId, name: 'restored', datastore: { type: 'postgresql', version: '18' }, backupId },
    });
    return instanceId;
  }
  const building = (instanceId: string, restorers: EnginesApart, signal = new AbortController().signal) =>
    new BuiltServer(
      { ...world, folder, actor: 'spec', restorerFor: (type) => restorers.of(type) },
      world.job('instance', instanceId),
      { ...world.hold(), signal },
    ).perform();
  const told = async (instanceId: string) => (await world.ledger.readStream(streamOf('instance', instanceId))).at(-1);

  /** What attempts have restored. Where root runs this, the servers are kept elsewhere. */
  async function attemptsIn(folder: string, instanceId: string): Promise<string[]> {
    const path = join(folder, instanceId);
    const place = await readlink(path).catch(() => path);
    return (await readdir(dirname(place)).catch(() => [])).filter((name) => name.startsWith(`${instanceId}.`));
  }

  it.each([
    ['loops', 'looping-process.ts', { type: 'InstanceBuildAttemptFailed', code: 'engine-process-ended' }],
    ['takes memory without end', 'growing-process.ts', { type: 'InstanceBuildFailed', code: 'backup-limit-reached' }],
  ])(
    'so that it %s fails alone, and leaves nothing',
    async (_, name, { type, code }) => {
      const instanceId = await asked();
      const performed = await building(instanceId, spoilt(name));
      expect(performed).toEqual(type === 'InstanceBuildFailed' ? 'finished' : { retryInMs: 5_000 });
      expect(await told(instanceId)).toMatchObject({ type, data: { code } });
      expect(await attemptsIn(folder, instanceId)).toEqual([]);
    },
    120_000,
  );

  it('does not hold up the one beside it', async () => {
    const [hostile, innocent] = [await asked(), await asked()];
    const ending = new AbortController();
    const kept = building(innocent, apart, ending.signal).catch(() => {});
    try {
      await building(hostile, spoilt('looping-process.ts'));
      await eventually(async () => expect(await told(innocent)).toMatchObject({ type: 'InstanceBuilt' }), {
        withinMs: 60_000,
      });
      expect(await told(hostile)).toMatchObject({ type: 'InstanceBuildAttemptFailed' });
    } finally {
      ending.abort(new Error('the spec ends'));
      await kept;
    }
  }, 180_000);
});
