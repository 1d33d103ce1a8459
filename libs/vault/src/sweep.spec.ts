import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createLogger, FixedClock, Metrics, SystemClock } from '@strongroom/runtime';
import { LockingVault } from '../../../test/vaults/locking-vault.js';
import { unsealedPlaces } from '../../../test/vaults/unsealed-places.js';
import { heldOf, putSample, storeSample } from '../fixtures/sample-backup.js';
import { DirectoryVault } from './directory/directory-vault.js';
import { Sweep, type SweepVerdict } from './sweep.js';
import { shards, type Vault } from './vault.js';

const hour = 3_600_000;

describe('the sweep of a vault', () => {
  let folder: string;
  let root: string;
  let vault: DirectoryVault;
  let verdicts: Map<string, SweepVerdict>;
  let metrics: Metrics;
  let told: string[];
  let minimumMs: number;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'strongroom-sweep-'));
    root = join(folder, 'DFW');
    await mkdir(root);
    vault = new DirectoryVault('DFW', root);
    verdicts = new Map();
    told = [];
    minimumMs = 0;
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  /** Sweeps a whole round, this many hours from now. */
  async function sweep(hoursLater: number, swept: Vault = vault): Promise<void> {
    metrics = new Metrics();
    const sweep = new Sweep({
      ask: async () => verdicts,
      clock: new FixedClock(new Date(Date.now() + hoursLater * hour)),
      log: createLogger({ app: 'spec', level: 'info', to: { write: (line) => void told.push(line) } }),
      metrics,
      graceMs: 24 * hour,
      minimumMsOf: () => minimumMs,
    });
    for (let round = 0; round < shards; round += 1) await sweep.pass(swept, round);
  }

  async function kept(attempt = 1): Promise<string> {
    const { backupId } = await storeSample(vault);
    verdicts.set(backupId, { is: 'kept', attempt, location: (await vault.locationOf(backupId)) ?? '' });
    return backupId;
  }

  it('has what its vault keeps kept longer when the minimum of the account has grown, and never shorter', async () => {
    const keeping = new LockingVault(vault, new SystemClock());
    const backupId = await kept();
    const completedAt = Date.parse((await vault.manifest(backupId))?.manifest.completedAt ?? '');
    const endsAfter = async (minimumOfAccount: number) => {
      minimumMs = minimumOfAccount;
      await sweep(1, keeping);
      return keeping.askedUntil(backupId)?.getTime();
    };
    // The sample was completed long ago: what is over already is not asked for.
    const since = Date.now() - completedAt;
    expect(await endsAfter(0)).toBeUndefined();
    expect(await endsAfter(since - hour)).toBeUndefined();
    expect(await endsAfter(since + hour)).toBe(completedAt + since + hour);
    expect(told.join('')).toContain(`DFW now keeps backup ${backupId} until`);
    expect(await endsAfter(since + 3 * hour)).toBe(completedAt + since + 3 * hour);
    expect(await endsAfter(since + 2 * hour)).toBe(completedAt + since + 3 * hour);
  });

  it('removes after a day what a late attempt left beside a completed backup, and says how much that was', async () => {
    const backupId = await kept(2);
    await putSample(vault, backupId, 2);
    await sweep(23);
    expect(await unsealedPlaces(root, vault)).toHaveLength(1);
    await sweep(25);
    expect(await unsealedPlaces(root, vault)).toEqual([]);
    await expect(vault.verify(backupId)).resolves.toBeDefined();
    expect(told.join('')).toMatch(/swept: what late attempts at backup .* had left in the vault of DFW, 301000 bytes/);
    expect(await metrics.text()).toContain('strongroom_swept_bytes_total{region="DFW"} 301000');
  });

  it('never removes what the ledger does not know, but counts it and logs it', async () => {
    const { backupId } = await storeSample(vault);
    await putSample(vault, String(randomUUID()), 1);
    await sweep(1_000);
    await expect(vault.verify(backupId)).resolves.toBeDefined();
    expect(await unsealedPlaces(root, vault)).toHaveLength(1);
    expect(told.join('')).toContain('that the ledger does not know; nothing of them is removed');
    expect(await metrics.text()).toContain('strongroom_vault_unknown_backups{region="DFW"} 2');
  });

  it('leaves alone what an attempt or a deletion may be working on', async () => {
    const { backupId } = await storeSample(vault);
    await putSample(vault, backupId, 2);
    verdicts.set(backupId, { is: 'in-hand' });
    await sweep(1_000);
    expect(await unsealedPlaces(root, vault)).toHaveLength(1);
    await expect(vault.verify(backupId)).resolves.toBeDefined();
  });

  it('removes after a day what has ended, remembers the removal for another day, and then forgets it', async () => {
    const { backupId } = await storeSample(vault);
    verdicts.set(backupId, { is: 'ended', attempt: 1, forGood: true });
    await sweep(23);
    await expect(vault.verify(backupId)).resolves.toBeDefined();
    await sweep(25);
    expect(await vault.manifest(backupId)).toBeUndefined();
    expect(await heldOf(vault, backupId)).toMatchObject([{ isGone: true }]);
    await sweep(23);
    expect(await heldOf(vault, backupId)).toHaveLength(1);
    await sweep(25);
    expect(await heldOf(vault, backupId)).toEqual([]);
  });

  it('remembers for ever that a copy was removed that may be asked for again', async () => {
    const { backupId } = await storeSample(vault);
    verdicts.set(backupId, { is: 'ended', attempt: 1, forGood: false });
    for (let day = 0; day < 3; day += 1) await sweep(1_000);
    expect(await heldOf(vault, backupId)).toMatchObject([{ isGone: true }]);
    await expect(vault.begin(backupId, 1)).rejects.toMatchObject({ code: 'upload-superseded' });
  });

  it('removes nothing when the ledger has fallen behind the vault, or names another place', async () => {
    const ahead = await kept(1);
    await putSample(vault, ahead, 5);
    const ended = (await storeSample(vault, { attempt: 5 })).backupId;
    verdicts.set(ended, { is: 'ended', attempt: 2, forGood: true });
    const elsewhere = (await storeSample(vault)).backupId;
    verdicts.set(elsewhere, { is: 'kept', attempt: 1, location: 'backups/00/elsewhere' });
    await sweep(1_000);
    for (const backupId of [ahead, ended, elsewhere]) await expect(vault.verify(backupId)).resolves.toBeDefined();
    expect(await unsealedPlaces(root, vault)).toHaveLength(1);
    expect(told.filter((line) => line.includes('not swept'))).toHaveLength(3);
  });

  it('goes on beside a backup whose state can not be read, and logs that', async () => {
    const backupId = await kept(2);
    const damaged = (await storeSample(vault, { backupId: `00000000${backupId.slice(8)}` })).backupId;
    verdicts.set(damaged, { is: 'kept', attempt: 1, location: (await vault.locationOf(damaged)) ?? '' });
    await putSample(vault, backupId, 2);
    await writeFile(join(root, 'backups', damaged.slice(-2), damaged, 'state.000000000002'), '{');
    await sweep(25);
    expect(await heldOf(vault, backupId)).toMatchObject([{ hasLeftovers: false }]);
    expect(told.join('')).toContain(`not swept: The state of backup ${damaged} in the vault of DFW`);
    expect(await readdir(join(root, 'backups', damaged.slice(-2), damaged))).toHaveLength(2);
  });

  it('fails when the vault is away', async () => {
    await rm(root, { recursive: true });
    await expect(sweep(1)).rejects.toMatchObject({ code: 'vault-unavailable' });
  });
});
