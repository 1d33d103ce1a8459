import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { EventData } from '@strongroom/contracts';
import { copyId } from '@strongroom/domain';
import type { Performed } from '@strongroom/runtime';
import { Traffic, type Vault, VaultFault, Vaults } from '@strongroom/vault';
import { eventually } from '../../../../../test/services/eventually.js';
import { PassingVault } from '../../../../../test/vaults/passing-vault.js';
import { accountId, CopyingWorld } from '../../../fixtures/copying-world.js';
import { copyWithPermit } from './copy-job.js';

type Backup = EventData<'BackupCompleted'>;

let world: CopyingWorld;
beforeAll(async () => {
  world = await CopyingWorld.create();
});
afterAll(() => world.remove());

/** A vault in which nothing can be begun until it is let go. */
class HeldVault extends PassingVault {
  begun = 0;
  private letGo: (fault?: VaultFault) => void = () => {};
  private readonly letGoWith = new Promise<VaultFault | undefined>((resolve) => {
    this.letGo = resolve;
  });

  override async begin(...asked: Parameters<Vault['begin']>): ReturnType<Vault['begin']> {
    this.begun += 1;
    const fault = await this.letGoWith;
    if (fault) throw fault;
    return super.begin(...asked);
  }

  end(fault?: VaultFault): void {
    this.letGo(fault);
  }
}

/** Counts the copies that read from a vault at a time. */
class CountedVault extends PassingVault {
  private reading = 0;
  most = 0;

  override read(...asked: Parameters<Vault['read']>): ReturnType<Vault['read']> {
    const stream = super.read(...asked);
    this.reading += 1;
    this.most = Math.max(this.most, this.reading);
    stream.once('close', () => {
      this.reading -= 1;
    });
    return stream;
  }
}

async function owed(region: string, count: number): Promise<Backup[]> {
  const backups: Backup[] = [];
  for (let made = 0; made < count; made += 1) {
    const backup = await world.backUp('DFW', { copyTo: [region] });
    await world.requestCopy(backup, region);
    backups.push(backup);
  }
  return backups;
}

describe('copies to a region that hangs', () => {
  it('hold a part of the permits of their source, so those to other regions are made; none counts as made that is not', async () => {
    const real = world.vaults();
    const ord = new HeldVault(real.of('ORD'));
    const dfw = new CountedVault(real.of('DFW'));
    const vaults = new Vaults(
      new Map<string, Vault>([
        ['DFW', dfw],
        ['IAD', real.of('IAD')],
        ['ORD', ord],
      ]),
    );
    const traffic = new Traffic({ atATime: new Map([['DFW', 2]]) });
    const parts = { ...world.replicator(vaults), traffic };
    const attempt = (backup: Backup, lane: string): Promise<Performed> => {
      const id = copyId(backup.backupId, lane);
      const job = { kind: 'copy', id, lane, accountId, attempt: 1, failures: 0, asked: 1, owner: 'spec' };
      return copyWithPermit(parts, job, { signal: new AbortController().signal, progress: () => {} });
    };
    const [hanging, others] = [await owed('ORD', 3), await owed('IAD', 4)];

    const pending = hanging.map((backup) => attempt(backup, 'ORD'));
    await eventually(() => expect(ord.begun).toBe(1), { withinMs: 20_000 });
    const made = await Promise.all(others.map((backup) => attempt(backup, 'IAD')));
    expect(made).toEqual(others.map(() => 'finished'));
    for (const backup of others) expect(await world.isWhole(backup, 'IAD')).toBe(true);
    expect(dfw.most).toBeLessThanOrEqual(2);
    // The other two still wait for a permit.
    expect(ord.begun).toBe(1);
    for (const backup of hanging) expect(await world.typesOf(backup, 'ORD')).not.toContain('CopyCompleted');

    ord.end(new VaultFault('vault-unavailable', 'ORD', 'The vault of ORD hangs.'));
    await Promise.all(pending);
    for (const backup of hanging) {
      expect(await world.typesOf(backup, 'ORD')).not.toContain('CopyCompleted');
      expect(await world.isWhole(backup, 'ORD')).toBe(false);
    }
  }, 120_000);

  it('begin nothing and record nothing where their own region has no permit left', async () => {
    const [first, second] = (await owed('ORD', 2)) as [Backup, Backup];
    const real = world.vaults();
    const ord = new HeldVault(real.of('ORD'));
    const vaults = new Vaults(
      new Map<string, Vault>([
        ['DFW', real.of('DFW')],
        ['ORD', ord],
      ]),
    );
    const parts = { ...world.replicator(vaults), traffic: new Traffic({ atATime: new Map([['ORD', 1]]) }) };
    const attempt = (backup: Backup): Promise<Performed> => {
      const id = copyId(backup.backupId, 'ORD');
      const job = { kind: 'copy', id, lane: 'ORD', accountId, attempt: 1, failures: 0, asked: 1, owner: 'spec' };
      return copyWithPermit(parts, job, { signal: new AbortController().signal, progress: () => {} });
    };
    const pending = attempt(first);
    expect(await attempt(second)).toEqual({ retryInMs: 500 });
    expect(await world.typesOf(second, 'ORD')).toEqual(['CopyRequested']);
    ord.end();
    expect(await pending).toBe('finished');
    expect(await attempt(second)).toBe('finished');
    expect(await world.isWhole(second, 'ORD')).toBe(true);
  }, 60_000);
});
