import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { trace } from '@opentelemetry/api';
import type { EventData } from '@strongroom/contracts';
import { copyId } from '@strongroom/domain';
import { newestOf, Verifications } from '@strongroom/read-model';
import { Metrics, useSpans } from '@strongroom/runtime';
import { type Progress, Traffic, type Vault, VaultFault, Vaults } from '@strongroom/vault';
import { PassingVault } from '../../../../../test/vaults/passing-vault.js';
import { accountId, CopyingWorld } from '../../../fixtures/copying-world.js';
import { Scrub } from './scrub.js';

type Backup = EventData<'BackupCompleted'>;
const day = 86_400_000;

let world: CopyingWorld;
let verifications: Verifications;
beforeAll(async () => {
  world = await CopyingWorld.create();
  verifications = new Verifications(world.dataSource);
});
afterAll(() => world.remove());
beforeEach(async () => {
  // What the tests before have left was made just now.
  await world.views.catchUp(accountId);
  await world.dataSource.query('delete from verification');
  for (const view of ['copy_view', 'backup_view']) await world.dataSource.query(`update ${view} set ended_at = now()`);
});

/** A vault whose reading back can be watched and broken. */
class ReadVault extends PassingVault {
  constructor(
    vault: Vault,
    private readonly onVerify: (backupId: string) => Promise<void> | void,
    private readonly onRead: () => Promise<void> | void = () => {},
  ) {
    super(vault);
  }

  override async verify(backupId: string, progress?: Progress, signal?: AbortSignal) {
    await this.onVerify(backupId);
    const reading = async (bytes: number) => {
      await this.onRead();
      await progress?.(bytes);
    };
    return super.verify(backupId, reading, signal);
  }
}

function scrubber({ vaults = world.vaults(), usual = 1_073_741_824 }: { vaults?: Vaults; usual?: number } = {}) {
  const { ledger, ids, log } = world;
  const metrics = new Metrics();
  const config = { scrub: { rate: { usual, byRegion: new Map([['ORD', 0]]) }, everyMs: 30 * day } };
  const scrub = new Scrub({
    ledger,
    ids,
    log,
    vaults,
    traffic: new Traffic(),
    verifications,
    metrics,
    config,
    replicator: 'spec',
  });
  return { scrub, metrics };
}

function with1(region: string, vault: (real: Vault) => Vault): Vaults {
  const real = world.vaults();
  return new Vaults(
    new Map(real.regions.map((each) => [each, each === region ? vault(real.of(each)) : real.of(each)])),
  );
}

/** As if nothing had been read for so long. */
async function pass(ms: number): Promise<void> {
  await world.dataSource.query(
    `update verification set verified_at = verified_at - $1 * interval '1 ms', looked_at = looked_at - $1 * interval '1 ms'`,
    [ms],
  );
}

/** Backups of which nothing was verified for 31 days, the first one longest ago. */
async function aged(count: number, ...regions: string[]): Promise<Backup[]> {
  const backups: Backup[] = [];
  for (let n = 0; n < count; n += 1) {
    const backup = await world.backUp('DFW');
    await world.copied(backup, ...regions);
    backups.push(backup);
  }
  await world.views.catchUp(accountId);
  for (const [n, { backupId }] of backups.entries()) {
    const endedAt = `ended_at = now() - $2 * interval '1 minute'`;
    const values = [backupId, 31 * 1_440 - n];
    await world.dataSource.query(`update copy_view set ${endedAt} where backup_id = $1`, values);
    await world.dataSource.query(`update backup_view set ${endedAt} where id = $1`, values);
  }
  for (const region of ['DFW', ...regions]) await verifications.follow(region);
  return backups;
}

async function one(...regions: string[]): Promise<Backup> {
  const [backup] = await aged(1, ...regions);
  if (!backup) throw new Error('no backup was made');
  return backup;
}

async function read(region: string, { scrub } = scrubber(), signal = new AbortController().signal) {
  return scrub.pass(region, { signal });
}

const ageOf = async ({ backupId }: { backupId: string }, region: string) => {
  const found = (await verifications.ofBackups([backupId])).get(`${backupId} ${region}`);
  return found && Math.round((Date.now() - found.verifiedAt.getTime()) / day);
};

describe('a copy that the store has made by itself', () => {
  const shownOf = async ({ backupId }: Backup, region: string) => {
    await world.views.catchUp(accountId);
    const row = (await world.copies.ofBackups([backupId])).get(backupId)?.find((copy) => copy.region === region);
    if (!row) throw new Error('there is no copy');
    return newestOf(row, (await verifications.ofBackups([backupId])).get(`${backupId} ${region}`))?.verifiedBy;
  };
  /** A process notes what the store has compared, records the copy, and dies. */
  const copiedByServer = async (backup: Backup, attempt: number) => {
    const id = await world.startCopy(backup, 'IAD', attempt);
    await verifications.copiedByServer('IAD', backup.backupId);
    const { sizeBytes, sha256 } = backup;
    const result = { location: 'spec', sizeBytes, sha256, startedAt: new Date().toISOString() };
    await world.onCopy(backup, 'IAD', { type: 'CompleteCopy', copyId: id, attempt, ...result });
  };

  it('is not shown as read though its process dies as soon as it is recorded, nor after the list follows the views', async () => {
    const backup = await world.backUp('DFW');
    await world.requestCopy(backup, 'IAD');
    await copiedByServer(backup, 1);
    expect(await shownOf(backup, 'IAD')).toBe('server');
    await verifications.follow('IAD');
    expect(await shownOf(backup, 'IAD')).toBe('server');
  });

  it('is shown as read when a later attempt has read it, which an earlier one had left there', async () => {
    const backup = await world.backUp('DFW');
    await world.requestCopy(backup, 'IAD');
    await world.startCopy(backup, 'IAD', 1);
    await verifications.copiedByServer('IAD', backup.backupId);
    await world.attempt(backup, 'IAD');
    expect(await shownOf(backup, 'IAD')).toBe('read');
  });
});

describe('what a vault holds', () => {
  it('is read again when nobody has for so long, and not before', async () => {
    const backup = await one('IAD');
    expect(await ageOf(backup, 'IAD')).toBe(31);
    await read('IAD');
    expect(await ageOf(backup, 'IAD')).toBe(0);
    expect(await ageOf(backup, 'DFW')).toBe(31);
    const { scrub, metrics } = scrubber();
    await scrub.pass('IAD', { signal: new AbortController().signal });
    expect(await metrics.text()).not.toMatch(/scrub_read_bytes_total\{/);
    await pass(29 * day);
    await scrub.pass('IAD', { signal: new AbortController().signal });
    expect(await ageOf(backup, 'IAD')).toBe(29);
    expect(await metrics.text()).toMatch(/strongroom_scrub_lag_seconds\{region="IAD"\} 25056/);
  });

  it('is read again in a trace of its own, which names the backup and the region', async () => {
    const { backupId } = await one('IAD');
    const begun: unknown[] = [];
    useSpans({
      begin(name, { parent, attributes }) {
        begun.push({ name, parent, attributes });
        return trace.wrapSpanContext({ traceId: '9'.repeat(32), spanId: '1'.repeat(16), traceFlags: 1 });
      },
    });
    try {
      await read('IAD');
    } finally {
      useSpans(undefined);
    }
    const attributes = { 'strongroom.backup': backupId, 'strongroom.region': 'IAD' };
    expect(begun).toEqual([{ name: 'scrub', parent: undefined, attributes }]);
    expect(await ageOf({ backupId }, 'IAD')).toBe(0);
  });

  it.each([
    ['altered', 'object-altered'],
    ['removed', 'object-missing'],
  ] as const)('is told and put back by itself when a copy is %s, in a new place', async (how, code) => {
    const backup = await one('IAD');
    const before = await world.vaults().of('IAD').locationOf(backup.backupId);
    await world.damage(backup, 'IAD', how);
    const made = scrubber();
    await read('IAD', made);
    expect((await world.eventsOf(backup, 'IAD')).at(-1)).toMatchObject({ type: 'CopyLost', data: { code } });
    expect(await made.metrics.text()).toContain(`strongroom_scrub_losses_total{region="IAD",code="${code}"} 1`);
    expect(await world.jobs.absent('copy', [copyId(backup.backupId, 'IAD')])).toEqual(new Set());
    await world.attempt(backup, 'IAD');
    expect(await world.isWhole(backup, 'IAD')).toBe(true);
    expect(await world.vaults().of('IAD').locationOf(backup.backupId)).not.toBe(before);
    await world.views.catchUp(accountId);
    await verifications.follow('IAD');
    expect(await ageOf(backup, 'IAD')).toBe(0);
  });

  it.each(['altered', 'removed'] as const)(
    'is told and put back by itself where it was made, when it is %s',
    async (how) => {
      const backup = await one('IAD');
      await world.damage(backup, 'DFW', how);
      await read('DFW');
      expect(await world.typesOf(backup, 'DFW')).toEqual(['CopyRequested', 'CopyLost']);
      expect(await world.isWhole(backup, 'DFW')).toBe(false);
      await world.attempt(backup, 'DFW');
      expect(await world.isWhole(backup, 'DFW')).toBe(true);
      expect((await world.typesOf(backup, 'DFW')).at(-1)).toBe('CopyCompleted');
    },
  );

  it('is told where it was made also when no other region has it, and nothing of what is left is removed', async () => {
    const backup = await one('IAD');
    await world.damage(backup, 'DFW', 'altered');
    await world.damage(backup, 'IAD', 'altered');
    const scrub = scrubber();
    await read('DFW', scrub);
    await read('IAD', scrub);
    for (const region of ['DFW', 'IAD']) {
      expect((await world.typesOf(backup, region)).at(-1)).toBe('CopyLost');
      const place = await world.vaults().of(region).locationOf(backup.backupId);
      for (let n = 0; n < 3; n += 1) await world.attempt(backup, region);
      const last = (await world.eventsOf(backup, region)).at(-1);
      expect(last).toMatchObject({ type: 'CopyFailed', data: { code: 'object-altered' } });
      expect(await world.vaults().of(region).locationOf(backup.backupId)).toBe(place);
    }
  });

  it('has lost nothing when the vault goes away while it is read', async () => {
    const backup = await one('IAD');
    const vaults = with1('IAD', (real) => new ReadVault(real, () => world.takeAway('IAD')));
    try {
      await read('IAD', scrubber({ vaults }));
    } finally {
      await world.bringBack('IAD');
    }
    expect((await world.typesOf(backup, 'IAD')).at(-1)).toBe('CopyCompleted');
    expect(await ageOf(backup, 'IAD')).toBe(31);
    expect(world.told.join()).toContain('the vault of IAD is not read again now');
    await read('IAD');
    expect(await ageOf(backup, 'IAD')).toBe(0);
  });

  it('has lost nothing when it was read wrong only once', async () => {
    const backup = await one('IAD');
    let readings = 0;
    const vaults = with1(
      'IAD',
      (real) =>
        new ReadVault(real, () => {
          readings += 1;
          if (readings === 1) throw new VaultFault('object-altered', 'IAD', 'A bit has flipped on its way.');
        }),
    );
    await read('IAD', scrubber({ vaults }));
    expect(readings).toBe(2);
    expect((await world.typesOf(backup, 'IAD')).at(-1)).toBe('CopyCompleted');
    expect(await ageOf(backup, 'IAD')).toBe(0);
    expect(world.told.join()).toContain('was read wrong once');
  });

  it('has lost nothing when it was deleted while it was read', async () => {
    const backup = await one('IAD');
    await world.damage(backup, 'IAD', 'removed');
    const vaults = with1(
      'IAD',
      (real) =>
        new ReadVault(real, async () => void (await world.onCopy(backup, 'IAD', { type: 'RequestCopyDeletion' }))),
    );
    await read('IAD', scrubber({ vaults }));
    expect((await world.typesOf(backup, 'IAD')).at(-1)).toBe('CopyDeletionRequested');
  });

  it('is read in the order of its last verification, and a process that dies on the way has lost one backup of that', async () => {
    const [first, second, third] = await aged(3, 'IAD');
    if (!first || !second || !third) throw new Error('three backups were to be made');
    const death = new AbortController();
    const order: string[] = [];
    const dying = with1(
      'IAD',
      (real) =>
        new ReadVault(
          real,
          (id) => void order.push(id),
          () => {
            if (order.length === 2) death.abort(new Error('the process is stopping'));
          },
        ),
    );
    await expect(read('IAD', scrubber({ vaults: dying }), death.signal)).rejects.toThrow('the process is stopping');
    expect(order).toEqual([first.backupId, second.backupId]);
    const later: string[] = [];
    const vaults = with1('IAD', (real) => new ReadVault(real, (id) => void later.push(id)));
    await read('IAD', scrubber({ vaults }));
    expect(later.slice(0, 2)).toEqual([second.backupId, third.backupId]);
  });

  it('is not read where the operator has set the rate to 0', async () => {
    const backup = await one('ORD');
    await read('ORD');
    expect(await ageOf(backup, 'ORD')).toBe(31);
  });
});
