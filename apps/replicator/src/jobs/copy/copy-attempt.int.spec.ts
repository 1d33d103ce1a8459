import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { heldVerdicts } from '@strongroom/ledger';
import { SystemClock } from '@strongroom/runtime';
import { copyBackup, type Vault, VaultFault, Vaults } from '@strongroom/vault';
import { patience } from '../../../../../test/services/patience.js';
import { DrippingVault } from '../../../../../test/vaults/dripping-vault.js';
import { LockingVault } from '../../../../../test/vaults/locking-vault.js';
import { PassingVault } from '../../../../../test/vaults/passing-vault.js';
import { accountId, CopyingWorld } from '../../../fixtures/copying-world.js';

let world: CopyingWorld;
beforeAll(async () => {
  world = await CopyingWorld.create();
});
afterAll(() => world.remove());

const rowOf = async (backupId: string, region: string) => {
  await world.views.catchUp(accountId);
  return (await world.copies.ofBackups([backupId])).get(backupId)?.find((copy) => copy.region === region);
};

describe('a copy', () => {
  it('comes from another region that has it when the one where the backup was made has lost it, and tells from where', async () => {
    const backup = await world.backUp('DFW');
    await world.copied(backup, 'IAD');
    await world.lose(backup, 'DFW');
    await world.requestCopy(backup, 'ORD');
    expect(await world.attempt(backup, 'ORD')).toBe('finished');
    expect(await world.isWhole(backup, 'ORD')).toBe(true);
    expect(await world.typesOf(backup, 'ORD')).toEqual([
      'CopyRequested',
      'CopyStarted',
      'CopySourceChanged',
      'CopyCompleted',
    ]);
    expect(await rowOf(backup.backupId, 'ORD')).toMatchObject({ status: 'COMPLETED', sourceRegion: 'IAD' });
    expect(world.told.join()).toContain('DFW is passed over as a source');
  });

  it('is kept by a vault that can for the minimum retention of its account, which counts from the completion of the backup', async () => {
    const backup = await world.backUp('DFW');
    await world.requestCopy(backup, 'IAD');
    const vaults = world.vaults();
    const target = new LockingVault(vaults.of('IAD'), new SystemClock());
    const minimumRetention = { usualMs: 86_400_000, byAccount: new Map<string, number>() };
    const parts = world.replicator(
      new Vaults(
        new Map([
          ['DFW', vaults.of('DFW')],
          ['IAD', target],
        ]),
      ),
    );
    const config = { ...world.config, deletion: { ...world.config.deletion, minimumRetention } };
    expect(await world.attemptBy({ ...parts, config }, backup, 'IAD')).toBe('finished');
    const made = await vaults.of('DFW').manifest(backup.backupId);
    const until = Date.parse(made?.manifest.completedAt ?? '') + minimumRetention.usualMs;
    expect(target.askedUntil(backup.backupId)).toEqual(new Date(until));
    expect((await world.typesOf(backup, 'IAD')).at(-1)).toBe('CopyCompleted');
  });

  it.each([
    ['altered', 'base.tar.zst'],
    ['removed', 'base.tar.zst'],
    ['altered', 'manifest.json'],
    ['removed', 'manifest.json'],
  ] as const)('passes over a source where an object is %s: %s', async (how, name) => {
    const backup = await world.backUp('DFW');
    await world.copied(backup, 'IAD');
    await world.damage(backup, 'DFW', how, name);
    await world.requestCopy(backup, 'ORD');
    expect(await world.attempt(backup, 'ORD')).toBe('finished');
    expect(await world.isWhole(backup, 'ORD')).toBe(true);
  });

  it('passes over a source that is away, which loses nothing by it', async () => {
    const backup = await world.backUp('DFW');
    await world.copied(backup, 'IAD');
    await world.requestCopy(backup, 'ORD');
    await world.takeAway('DFW');
    try {
      expect(await world.attempt(backup, 'ORD')).toBe('finished');
    } finally {
      await world.bringBack('DFW');
    }
    expect(await world.isWhole(backup, 'ORD')).toBe(true);
    expect(await world.typesOf(backup, 'DFW')).toEqual([]);
  });

  it('passes over a source that gives a little now and then, and says of a region that is the only one what it must give', async () => {
    const backup = await world.backUp('DFW');
    await world.copied(backup, 'IAD');
    const real = world.vaults();
    const slow = { limitMs: 200 * patience, graceMs: 100, leastBytesPerSecond: 100_000 };
    const replicatorOf = (...regions: string[]) =>
      world.replicator(
        new Vaults(
          new Map(regions.map((each) => [each, each === 'DFW' ? new DrippingVault(real.of(each), 10) : real.of(each)])),
          slow,
        ),
      );
    await world.requestCopy(backup, 'ORD');
    await world.attemptBy(replicatorOf('DFW', 'ORD'), backup, 'ORD');
    expect((await world.eventsOf(backup, 'ORD')).at(-1)).toMatchObject({
      type: 'CopyAttemptFailed',
      data: {
        code: 'vault-unavailable',
        reason: expect.stringMatching(/vault of DFW is too slow.*STRONGROOM_VAULT_LEAST_KIB_PER_SECOND/),
      },
    });
    await world.attemptBy(replicatorOf('DFW', 'IAD', 'ORD'), backup, 'ORD');
    expect(await world.isWhole(backup, 'ORD')).toBe(true);
  }, 60_000);

  it('that takes longer than the operator allows ends with what to look at, and leaves nothing', async () => {
    const backup = await world.backUp('DFW');
    await world.requestCopy(backup, 'ORD');
    const real = world.vaults();
    const vaults = new Vaults(
      new Map<string, Vault>([
        ['DFW', new DrippingVault(real.of('DFW'), 10)],
        ['ORD', real.of('ORD')],
      ]),
      { graceMs: 100 },
    );
    await world.attemptBy({ ...world.replicator(vaults), longestCopyMs: 300 * patience }, backup, 'ORD');
    expect((await world.eventsOf(backup, 'ORD')).at(-1)).toMatchObject({
      type: 'CopyAttemptFailed',
      data: { code: 'copy-limit-reached', reason: expect.stringContaining('STRONGROOM_COPY_LONGEST_HOURS') },
    });
    expect(await real.of('ORD').locationOf(backup.backupId)).toBeUndefined();
  }, 60_000);

  it('waits for a region that is away and may have it, rather than being given up for one that has lost it', async () => {
    const backup = await world.backUp('DFW');
    await world.copied(backup, 'IAD');
    await world.lose(backup, 'DFW');
    await world.requestCopy(backup, 'ORD');
    await world.takeAway('IAD');
    try {
      for (let count = 0; count < 5; count += 1) await world.attempt(backup, 'ORD');
    } finally {
      await world.bringBack('IAD');
    }
    expect(await rowOf(backup.backupId, 'ORD')).toMatchObject({
      status: 'PENDING',
      fault: { code: 'vault-unavailable' },
    });
    await world.attempt(backup, 'ORD');
    expect(await rowOf(backup.backupId, 'ORD')).toMatchObject({ status: 'COMPLETED' });
  });

  it('tells once that its region is away, however often it is tried, and comes as soon as it is back', async () => {
    const backup = await world.backUp('DFW');
    await world.requestCopy(backup, 'ORD');
    await world.takeAway('ORD');
    try {
      for (let count = 0; count < 5; count += 1) await world.attempt(backup, 'ORD');
    } finally {
      await world.bringBack('ORD');
    }
    expect(await world.typesOf(backup, 'ORD')).toEqual(['CopyRequested', 'CopyStarted', 'CopyAttemptFailed']);
    expect(await world.attempt(backup, 'ORD')).toBe('finished');
    expect(await world.isWhole(backup, 'ORD')).toBe(true);
  });

  it('is given up when no region has it any more, and says so of each', async () => {
    const backup = await world.backUp('DFW');
    await world.copied(backup, 'IAD');
    await world.lose(backup, 'DFW');
    await world.lose(backup, 'IAD');
    await world.requestCopy(backup, 'ORD');
    for (let count = 0; count < 3; count += 1) await world.attempt(backup, 'ORD');
    const row = await rowOf(backup.backupId, 'ORD');
    expect(row).toMatchObject({ status: 'FAILED', fault: { code: 'object-missing' } });
    expect(row?.fault?.reason).toMatch(/vault of DFW.*vault of IAD/s);
    expect(await world.typesOf(backup, 'DFW')).toEqual([]);
  });

  it('is made of a backup of a region that is retired, from one that is not', async () => {
    const backup = await world.backUp('DFW');
    await world.copied(backup, 'IAD');
    await world.requestCopy(backup, 'ORD');
    expect(await world.attempt(backup, 'ORD', 'IAD', 'ORD')).toBe('finished');
    expect(await world.isWhole(backup, 'ORD')).toBe(true);
  });

  it('ends whatever it has to tell, however long that is', async () => {
    const backup = await world.backUp('DFW');
    const real = world.vaults();
    class TellingVault extends PassingVault {
      override manifest(): Promise<never> {
        return Promise.reject(new VaultFault('object-altered', 'DFW', 'It is another. '.repeat(1_000)));
      }
    }
    const vaults = new Vaults(
      new Map<string, Vault>([
        ['DFW', new TellingVault(real.of('DFW'))],
        ['ORD', real.of('ORD')],
      ]),
    );
    await world.requestCopy(backup, 'ORD');
    for (let count = 0; count < 3; count += 1) await world.attemptBy(world.replicator(vaults), backup, 'ORD');
    const row = await rowOf(backup.backupId, 'ORD');
    expect(row).toMatchObject({ status: 'FAILED', fault: { code: 'object-altered' } });
    expect(row?.fault?.reason).toMatch(/^The copy is given up/);
    expect(row?.fault?.reason).toHaveLength(2_000);
  });
});

describe('a region that has lost a backup', () => {
  it('which was made there has it put back as soon as a copy is made from elsewhere: asked for once, proven, and good for more copies', async () => {
    const backup = await world.backUp('DFW');
    await world.copied(backup, 'IAD');
    await world.lose(backup, 'DFW');
    await world.requestCopy(backup, 'ORD');
    await world.attempt(backup, 'ORD');
    expect(await world.eventsOf(backup, 'DFW')).toMatchObject([
      { type: 'CopyRequested', data: { region: 'DFW', sourceRegion: 'IAD' } },
    ]);
    expect(await world.attempt(backup, 'DFW')).toBe('finished');
    expect(await world.isWhole(backup, 'DFW')).toBe(true);
    await world.lose(backup, 'IAD');
    await world.lose(backup, 'ORD');
    await world.onCopy(backup, 'ORD', { type: 'CheckCopy' });
    expect(await world.attempt(backup, 'ORD')).toEqual({ retryInMs: 0 });
    expect(await world.attempt(backup, 'ORD')).toBe('finished');
    expect(await world.isWhole(backup, 'ORD')).toBe(true);
  });

  it('which was copied there is owed it again', async () => {
    const backup = await world.backUp('DFW');
    await world.copied(backup, 'IAD', 'ORD');
    await world.lose(backup, 'DFW');
    await world.damage(backup, 'IAD', 'altered');
    await world.requestCopy(backup, 'DFW', 'IAD');
    const healedBefore = world.healed.length;
    await world.attempt(backup, 'DFW');
    expect(await world.isWhole(backup, 'DFW')).toBe(true);
    expect((await world.typesOf(backup, 'IAD')).at(-1)).toBe('CopyLost');
    expect(await rowOf(backup.backupId, 'IAD')).toMatchObject({ status: 'PENDING', fault: { code: 'object-altered' } });
    await world.attempt(backup, 'IAD');
    // The first copies to IAD and ORD have healed nothing.
    expect(world.healed.slice(healedBefore)).toEqual(['DFW', 'IAD']);
    expect(await world.isWhole(backup, 'IAD')).toBe(true);
    expect(await rowOf(backup.backupId, 'IAD')).toMatchObject({ status: 'COMPLETED', fault: null });
  });

  it('keeps what it has of it until all of it has come from elsewhere', async () => {
    const backup = await world.backUp('DFW');
    await world.copied(backup, 'IAD');
    await world.damage(backup, 'DFW', 'altered');
    await world.damage(backup, 'IAD', 'removed', 'backup_manifest.zst');
    await world.requestCopy(backup, 'DFW', 'IAD');
    for (let count = 0; count < 3; count += 1) await world.attempt(backup, 'DFW');
    expect(await rowOf(backup.backupId, 'DFW')).toMatchObject({ status: 'FAILED' });
    expect(await world.vaults().of('DFW').manifest(backup.backupId)).toBeDefined();
    // Damaging the same byte twice restores it.
    await world.damage(backup, 'DFW', 'altered');
    expect(await world.isWhole(backup, 'DFW')).toBe(true);
  });

  it('that turns out to be whole is left as it is', async () => {
    const backup = await world.backUp('DFW');
    await world.requestCopy(backup, 'DFW');
    expect(await world.attempt(backup, 'DFW')).toBe('finished');
    expect(await world.typesOf(backup, 'DFW')).toEqual(['CopyRequested', 'CopyStarted', 'CopyCompleted']);
    await world.onCopy(backup, 'DFW', { type: 'CheckCopy' });
    expect(await world.attempt(backup, 'DFW')).toBe('finished');
    expect((await world.typesOf(backup, 'DFW')).slice(3)).toEqual(['CopyCheckRequested', 'CopyChecked']);
    expect(await world.isWhole(backup, 'DFW')).toBe(true);
  });

  it('that turns out to be whole is kept from an earlier attempt that wakes up afterwards', async () => {
    const backup = await world.backUp('DFW');
    const { backupId } = backup;
    await world.requestCopy(backup, 'DFW');
    const copyId = await world.startCopy(backup, 'DFW', 1);
    const vault = world.vaults().of('DFW');
    const late = await vault.begin(backupId, 2);
    const source = await vault.verify(backupId);
    for (const { name } of source.manifest.objects) await late.put(name, vault.read(backupId, name));
    expect(await world.attempt(backup, 'DFW')).toBe('finished');
    const { location } = source;
    expect((await world.eventsOf(backup, 'DFW')).at(-1)).toMatchObject({
      type: 'CopyCompleted',
      data: { copyId, attempt: 2, location },
    });
    await expect(late.seal(source.bytes)).rejects.toMatchObject({ code: 'upload-superseded' });
    expect(await vault.locationOf(backupId)).toBe(location);
  });

  it('and has what was given up there after all keeps it from a sweep that asked before and wakes up afterwards', async () => {
    const backup = await world.backUp('DFW');
    const { backupId, sha256: expectedSha256 } = backup;
    await world.requestCopy(backup, 'ORD');
    const copyId = await world.startCopy(backup, 'ORD', 1);
    const vaults = world.vaults();
    const { signal } = new AbortController();
    await copyBackup({
      from: vaults.of('DFW'),
      to: vaults.of('ORD'),
      backupId,
      attempt: 1,
      expectedSha256,
      signal,
    });
    await world.onCopy(backup, 'ORD', { type: 'FailCopy', copyId, attempt: 1, code: 'spec', reason: 'not heard of' });
    const verdicts = await heldVerdicts({ ledger: world.ledger, manager: world.dataSource.manager }, 'ORD', [backupId]);
    expect(verdicts.get(backupId)).toMatchObject({ is: 'ended', attempt: 1 });
    await world.requestCopy(backup, 'ORD');
    expect(await world.attempt(backup, 'ORD', 'ORD')).toBe('finished');
    expect(await rowOf(backupId, 'ORD')).toMatchObject({ status: 'COMPLETED' });
    await expect(vaults.of('ORD').purge(backupId, 1)).rejects.toMatchObject({ code: 'upload-superseded' });
    expect(await world.isWhole(backup, 'ORD')).toBe(true);
  });

  it.each([
    ['removed', 'manifest.json'],
    ['altered', 'manifest.json'],
    ['removed', 'base.tar.zst'],
  ] as const)(
    'of which an object is %s (%s) gets nothing that is built on it before it has it again',
    async (how, name) => {
      const parent = await world.backUp('DFW');
      const { instanceId, backupId: parentId } = parent;
      const child = await world.backUp('DFW', { parentId, instanceId });
      await world.copied(parent, 'IAD');
      await world.damage(parent, 'IAD', how, name);
      await world.requestCopy(child, 'IAD');
      expect(await world.attempt(child, 'IAD')).toMatchObject({ retryInMs: expect.any(Number) });
      expect((await world.typesOf(parent, 'IAD')).at(-1)).toBe('CopyLost');
      expect(await world.attempt(parent, 'IAD')).toBe('finished');
      expect(await world.attempt(child, 'IAD')).toBe('finished');
      expect([await world.isWhole(parent, 'IAD'), await world.isWhole(child, 'IAD')]).toEqual([true, true]);
    },
  );

  it('which was copied there has what that is built on put back before it as well', async () => {
    const parent = await world.backUp('DFW');
    const { instanceId, backupId: parentId } = parent;
    const child = await world.backUp('DFW', { parentId, instanceId });
    await world.copied(parent, 'IAD');
    await world.copied(child, 'IAD');
    await world.lose(parent, 'IAD');
    await world.lose(child, 'IAD');
    await world.onCopy(child, 'IAD', { type: 'CheckCopy' });
    expect(await world.attempt(child, 'IAD')).toEqual({ retryInMs: 0 });
    expect(await world.attempt(child, 'IAD')).toMatchObject({ retryInMs: expect.any(Number) });
    expect((await world.typesOf(parent, 'IAD')).at(-1)).toBe('CopyLost');
    expect(await world.attempt(parent, 'IAD')).toBe('finished');
    expect(await world.attempt(child, 'IAD')).toBe('finished');
    expect([await world.isWhole(parent, 'IAD'), await world.isWhole(child, 'IAD')]).toEqual([true, true]);
  });

  it('has what the backup is built on put back before it', async () => {
    const parent = await world.backUp('DFW');
    const { instanceId, backupId: parentId } = parent;
    const child = await world.backUp('DFW', { parentId, instanceId });
    await world.copied(parent, 'IAD');
    await world.copied(child, 'IAD');
    await world.lose(parent, 'DFW');
    await world.lose(child, 'DFW');
    await world.requestCopy(child, 'DFW', 'IAD');
    expect(await world.attempt(child, 'DFW')).toMatchObject({ retryInMs: expect.any(Number) });
    expect(await world.attempt(parent, 'DFW')).toBe('finished');
    expect(await world.attempt(child, 'DFW')).toBe('finished');
    expect([await world.isWhole(parent, 'DFW'), await world.isWhole(child, 'DFW')]).toEqual([true, true]);
  });
});

describe('a copy that is being deleted', () => {
  it('is shown to nobody, and called deleted only when its region is empty', async () => {
    const backup = await world.backUp('DFW');
    await world.copied(backup, 'IAD');
    await world.onCopy(backup, 'IAD', { type: 'RequestCopyDeletion' });
    expect(await rowOf(backup.backupId, 'IAD')).toBeUndefined();
    await world.takeAway('IAD');
    try {
      expect(await world.attempt(backup, 'IAD')).toMatchObject({ retryInMs: expect.any(Number) });
      expect((await world.typesOf(backup, 'IAD')).at(-1)).toBe('CopyDeletionRequested');
    } finally {
      await world.bringBack('IAD');
    }
    expect(await world.attempt(backup, 'IAD')).toBe('finished');
    expect(await world.vaults().of('IAD').manifest(backup.backupId)).toBeUndefined();
    expect((await world.typesOf(backup, 'IAD')).at(-1)).toBe('CopyDeleted');
  });
});
