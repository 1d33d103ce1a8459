import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { EventData } from '@strongroom/contracts';
import { copyId } from '@strongroom/domain';
import type { Clock, Performed } from '@strongroom/runtime';
import { type SealedManifest, type Vault, VaultFault, Vaults } from '@strongroom/vault';
import { eventually } from '../../../../../test/services/eventually.js';
import { PassingVault } from '../../../../../test/vaults/passing-vault.js';
import { accountId, CopyingWorld } from '../../../fixtures/copying-world.js';

type Backup = EventData<'BackupCompleted'>;
const minute = 60_000;
const day = 24 * 60 * minute;
const begin = new Date('2026-11-24T00:00:00.000Z');

let world: CopyingWorld;
beforeAll(async () => {
  world = await CopyingWorld.create();
});
afterAll(() => world.remove());

/** A replicator on which time passes as fast as its attempts can be made, and its copies of some backups to IAD. */
class Day {
  private readonly parts;
  private readonly due = new Map<string, { at: number; failures: number }>();
  private nowMs = begin.getTime();

  constructor(
    vaults: Vaults,
    private readonly backups: readonly Backup[],
  ) {
    const clock: Clock = { now: () => new Date(this.nowMs) };
    this.parts = world.replicator(vaults, { clock, retryMs: 5_000 });
  }

  async pass(ms: number): Promise<void> {
    for (const until = this.nowMs + ms; this.nowMs < until; this.nowMs += 10 * minute) {
      await this.parts.away.look();
      for (const backup of this.backups) {
        const due = this.due.get(backup.backupId) ?? { at: this.nowMs, failures: 0 };
        if (due.at > this.nowMs) continue;
        this.note(backup, due.failures, await world.attemptBy(this.parts, backup, 'IAD', due.failures));
      }
    }
  }

  look(): Promise<void> {
    return this.parts.away.look();
  }

  attempt(backup: Backup): Promise<Performed> {
    return world.attemptBy(this.parts, backup, 'IAD');
  }

  private note({ backupId }: Backup, failures: number, performed: Performed): void {
    const retryInMs = performed === 'finished' ? Number.POSITIVE_INFINITY : performed.retryInMs;
    const hasFailed = performed !== 'finished' && performed.hasFailed === true;
    this.due.set(backupId, { at: this.nowMs + retryInMs, failures: failures + (hasFailed ? 1 : 0) });
  }
}

async function owed(count: number): Promise<Backup[]> {
  const backups: Backup[] = [];
  for (let made = 0; made < count; made += 1) {
    const backup = await world.backUp('DFW', { copyTo: ['IAD'] });
    await world.requestCopy(backup, 'IAD');
    backups.push(backup);
  }
  return backups;
}

/** The real vaults, with another one in place of IAD's. */
function vaultsWith(region: string, change: (vault: Vault) => Vault): Vaults {
  const real = world.vaults();
  return new Vaults(
    new Map(real.regions.map((each) => [each, each === region ? change(real.of(each)) : real.of(each)])),
  );
}

const waitsMs = async (backup: Backup) => {
  const [row]: { ms: number }[] = await world.dataSource.query(
    `select extract(epoch from ready_at - now())::float8 * 1000 as ms from job where kind = 'copy' and id = $1`,
    [copyId(backup.backupId, 'IAD')],
  );
  return row?.ms;
};

it('copies to a region that is back are due at once, though the probe of another region hangs', async () => {
  const [backup] = (await owed(1)) as [Backup];
  const real = world.vaults();
  const gone = (region: string) => new VaultFault('vault-unavailable', region, `The vault of ${region} is away.`);
  let probe: (region: string) => Promise<void> = (region) => Promise.reject(gone(region));
  class Probed extends PassingVault {
    override probe(): Promise<void> {
      return probe(this.region);
    }
  }
  const vaults = new Vaults(new Map(real.regions.map((region) => [region, new Probed(real.of(region))])));
  const { away } = world.replicator(vaults);
  for (const region of ['ORD', 'IAD']) await away.tell(gone(region));
  await away.look();
  const waiting = `update job set ready_at = now() + interval '1 hour' where kind = 'copy' and id = $1`;
  await world.dataSource.query(waiting, [copyId(backup.backupId, 'IAD')]);

  let letGo: (fault: VaultFault) => void = () => {};
  const hanging = new Promise<void>((_, reject) => {
    letGo = reject;
  });
  probe = (region) => (region === 'ORD' ? hanging : Promise.resolve());
  const looking = away.look();
  await eventually(async () => expect(await waitsMs(backup)).toBeLessThan(1_000), { withinMs: 8_000 });
  expect([away.faultOf('IAD'), away.faultOf('ORD')]).toEqual([undefined, expect.any(VaultFault)]);
  letGo(gone('ORD'));
  await looking;
  expect(away.known().map(({ region }) => region)).toEqual(['ORD']);
});

describe('a copy that is owed to a region that is away for a day', () => {
  it('is not begun while the outage is known, which is told once, and is made when the region is back', async () => {
    const backups = await owed(3);
    const passing = new Day(world.vaults(), backups);
    await world.takeAway('IAD');
    try {
      await passing.pass(day);
    } finally {
      await world.bringBack('IAD');
    }
    // One copy has met the outage. The others are not begun, and tell nothing.
    const [first, ...others] = await Promise.all(backups.map((backup) => world.typesOf(backup, 'IAD')));
    expect(first).toEqual(['CopyRequested', 'CopyStarted', 'CopyAttemptFailed']);
    expect(others).toEqual([['CopyRequested'], ['CopyRequested']]);
    expect([...(await world.outages.known()).values()]).toEqual([
      { region: 'IAD', since: begin, code: 'vault-unavailable', reason: expect.stringContaining('IAD') },
    ]);

    // Their jobs wait for a long time, and are due as soon as somebody has seen the region again.
    await world.dataSource.query(`update job set ready_at = now() + interval '1 hour' where kind = 'copy'`);
    await passing.look();
    expect((await world.outages.known()).size).toBe(0);
    for (const backup of backups) {
      expect(await waitsMs(backup)).toBeLessThanOrEqual(0);
      expect(await passing.attempt(backup)).toBe('finished');
      expect(await world.isWhole(backup, 'IAD')).toBe(true);
    }
  }, 120_000);

  it('is not begun when it is asked for in the middle of the outage', async () => {
    const [first, second] = (await owed(2)) as [Backup, Backup];
    const passing = new Day(world.vaults(), [first]);
    await world.takeAway('IAD');
    try {
      await passing.pass(60 * minute);
      for (let count = 0; count < 3; count += 1) await passing.attempt(second);
    } finally {
      await world.bringBack('IAD');
    }
    expect(await world.typesOf(second, 'IAD')).toEqual(['CopyRequested']);
  }, 60_000);

  it('records it once when the region that is away is the one to copy from', async () => {
    const [backup] = (await owed(1)) as [Backup];
    const passing = new Day(world.vaults(), [backup]);
    await world.takeAway('DFW');
    try {
      await passing.pass(day);
    } finally {
      await world.bringBack('DFW');
    }
    expect(await world.typesOf(backup, 'IAD')).toEqual(['CopyRequested', 'CopyStarted', 'CopyAttemptFailed']);
    await world.views.catchUp(accountId);
    await world.dataSource.query(`update job set ready_at = now() + interval '1 hour' where kind = 'copy'`);
    await passing.look();
    expect(await waitsMs(backup)).toBeLessThanOrEqual(0);
    expect(await passing.attempt(backup)).toBe('finished');
  }, 60_000);
});

describe('a copy that is owed to a region whose vault is full for a day', () => {
  class FullVault extends PassingVault {
    room = 0;

    override async begin(...[backupId, attempt]: Parameters<Vault['begin']>): ReturnType<Vault['begin']> {
      if (this.room === 0) throw new VaultFault('vault-full', this.region, `The vault of ${this.region} is full.`);
      return super.begin(backupId, attempt);
    }
    override async roomBytes(): Promise<number> {
      return this.room;
    }
  }

  it('records that once, one copy at a time looks whether there is room again, and all are made when there is', async () => {
    const backups = await owed(10);
    let full: FullVault | undefined;
    const vaults = vaultsWith('IAD', (vault) => {
      full = new FullVault(vault);
      return full;
    });
    const passing = new Day(vaults, backups);
    await passing.pass(day);
    const told = await Promise.all(backups.map((backup) => world.typesOf(backup, 'IAD')));
    expect(told.flat().length).toBeLessThan(10 + 2 * 12);
    if (full) full.room = 10_000_000_000;
    await passing.look();
    for (const backup of backups) expect(await passing.attempt(backup)).toBe('finished');
  }, 120_000);
});

describe('a copy that is too large for the room of its region', () => {
  it('waits alone: smaller copies of other accounts are made meanwhile', async () => {
    const [large, small] = (await owed(2)) as [Backup, Backup];
    const mib = 1_048_576;
    const real = world.vaults();
    /** A disk that has less room than the manifest of the large one asks for. */
    class SmallRoom extends PassingVault {
      override async roomBytes(): Promise<number> {
        return 3 * mib;
      }
    }
    class LargeBackup extends PassingVault {
      override async manifest(backupId: string): Promise<SealedManifest | undefined> {
        const sealed = await super.manifest(backupId);
        if (!sealed || backupId !== large.backupId) return sealed;
        const objects = sealed.manifest.objects.map((object) => ({ ...object, sizeBytes: 500 * mib }));
        return { ...sealed, manifest: { ...sealed.manifest, objects } };
      }
    }
    const vaults = new Vaults(
      new Map<string, Vault>([
        ['DFW', new LargeBackup(real.of('DFW'))],
        ['IAD', new SmallRoom(real.of('IAD'))],
      ]),
      { reserveBytes: mib },
    );
    const passing = new Day(vaults, [large, small]);
    await passing.pass(day / 4);
    const told = await world.eventsOf(large, 'IAD');
    expect(told.at(-1)).toMatchObject({ type: 'CopyAttemptFailed', data: { code: 'vault-full' } });
    expect(told.length).toBeLessThan(2 * 20);
    expect(await world.typesOf(small, 'IAD')).toEqual(['CopyRequested', 'CopyStarted', 'CopyCompleted']);
  }, 60_000);
});

describe('a copy whose region can be reached and that can not be made all the same', () => {
  it('records no more than a few attempts an hour, however long that lasts, and holds up no other copy', async () => {
    const [backup, other] = (await owed(2)) as [Backup, Backup];
    const vaults = vaultsWith(
      'IAD',
      (vault) =>
        new (class extends PassingVault {
          override async begin(...[backupId, attempt]: Parameters<Vault['begin']>): ReturnType<Vault['begin']> {
            if (backupId !== backup.backupId) return super.begin(backupId, attempt);
            throw new VaultFault('vault-unavailable', 'IAD', 'The folder of this backup can not be written.');
          }
        })(vault),
    );
    const passing = new Day(vaults, [backup, other]);
    await passing.pass(day);
    expect((await world.typesOf(backup, 'IAD')).length).toBeLessThan(2 * 36);
    expect((await world.typesOf(other, 'IAD')).at(-1)).toBe('CopyCompleted');
  }, 120_000);
});
