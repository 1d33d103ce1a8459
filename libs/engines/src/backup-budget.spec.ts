import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { SystemClock } from '@strongroom/runtime/light';
import { openVaults, type Vault } from '@strongroom/vault';
import { BackupBudget, type BackupLimits, usualLimits } from './backup-budget.js';
import type { BackupOptions, EngineBackup } from './engine.js';
import { EngineFault } from './engine-fault.js';
import { storeBackup } from './store-backup.js';

const target = {
  instanceId: '6f1c2b0a-0000-4000-8000-000000000001',
  endpoint: { host: 'there', port: 1, user: 'backup', database: 'postgres', tls: 'disable' },
  password: '',
} as const;

/** A server that sends chunks of this size, with this pause between them, and ends only when it is told to. */
class EndlessEngine {
  readonly readByIncrementals = [];
  constructor(
    private readonly chunkBytes: number,
    private readonly pauseMs: number,
    private readonly estimatedBytes: number | null = null,
    /** How far it comes. */
    private readonly comesTo: 'nothing' | 'its beginning' | 'an archive' = 'an archive',
  ) {}

  async backup(_target: unknown, { signal }: BackupOptions): Promise<EngineBackup> {
    const ended = new Promise<never>((_, reject) => {
      const end = () => reject(new EngineFault('cancelled', 'The backup was cancelled.'));
      if (signal.aborted) end();
      signal.addEventListener('abort', end);
    });
    ended.catch(() => {});
    if (this.comesTo === 'nothing') return ended;
    const hasArchives = this.comesTo === 'an archive';
    const { chunkBytes, pauseMs, estimatedBytes } = this;
    const source = (async function* () {
      for (;;) {
        await Promise.race([new Promise((resolve) => setTimeout(resolve, pauseMs)), ended]);
        yield Buffer.alloc(chunkBytes);
      }
    })();
    const objects = (async function* () {
      if (!hasArchives) await ended;
      yield { name: 'base.tar', source };
    })();
    return { objects, estimatedBytes, result: ended };
  }
}

describe('a backup', () => {
  let folder: string;
  let vault: Vault;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'strongroom-budget-'));
    await mkdir(join(folder, 'ORD'));
    vault = openVaults(new Map([['ORD', pathToFileURL(join(folder, 'ORD'))]])).of('ORD');
  });
  afterEach(async () => {
    jest.useRealTimers();
    await rm(folder, { recursive: true, force: true });
  });

  function store(engine: EndlessEngine, limits: Partial<BackupLimits>) {
    const { instanceId } = target;
    const ids = { backupId: randomUUID(), accountId: 'acme', instanceId, instanceName: 'orders' };
    return storeBackup({
      engine,
      vault,
      clock: new SystemClock(),
      target,
      backup: { ...ids, type: 'full', parentId: null, startedAt: new Date() },
      attempt: 1,
      limits: { ...usualLimits, ...limits },
      signal: new AbortController().signal,
    });
  }

  it.each<[what: string, engine: EndlessEngine, limits: Partial<BackupLimits>, code: string, says: string]>([
    ['never ends', new EndlessEngine(1_000, 5), { longestMs: 300 }, 'backup-limit-reached', 'BACKUP_LONGEST_HOURS'],
    [
      'drips, a byte now and then',
      new EndlessEngine(1, 20),
      { averageMs: 300, leastBytesPerSecond: 1_000 },
      'server-stalled',
      'BACKUP_LEAST_KIB_PER_SECOND',
    ],
    [
      'begins, and comes to no archive',
      new EndlessEngine(1, 1, null, 'its beginning'),
      { averageMs: 300, leastBytesPerSecond: 1_000 },
      'server-stalled',
      'BACKUP_LEAST_KIB_PER_SECOND',
    ],
    [
      'never begins',
      new EndlessEngine(1, 1, null, 'nothing'),
      { longestStartMs: 200 },
      'server-stalled',
      'did not begin',
    ],
    [
      'sends more than a backup may have',
      new EndlessEngine(65_536, 0),
      { mostBytes: 1_000_000 },
      'backup-limit-reached',
      'BACKUP_MOST_GIB',
    ],
    [
      'says that it has more than a backup may have',
      new EndlessEngine(1, 0, 2_000_000),
      { mostBytes: 1_000_000 },
      'backup-limit-reached',
      'says that it has',
    ],
    [
      'sends many times as much as it has estimated',
      new EndlessEngine(65_536, 0, 100_000),
      { timesEstimate: 5, leastAllowedBytes: 10_000 },
      'backup-limit-reached',
      'BACKUP_TIMES_ESTIMATE',
    ],
  ])('of a server that %s is given up, and nothing of it stays', async (_, engine, limits, code, says) => {
    const given = store(engine, limits);
    await expect(given).rejects.toMatchObject({ name: 'EngineFault', code });
    await expect(given).rejects.toThrow(says);
    const left = await readdir(join(folder, 'ORD'), { recursive: true, withFileTypes: true });
    expect(left.filter((entry) => entry.isFile() && entry.name.endsWith('.zst'))).toEqual([]);
  });

  it('may take as long as its operator allows, which may be a year', async () => {
    const given = store(new EndlessEngine(65_536, 0), { longestMs: 31_536_000_000, mostBytes: 1_000_000 });
    await expect(given).rejects.toThrow('BACKUP_MOST_GIB');
  });

  it('may be as slow as its vault: only the waiting for the server counts', async () => {
    const limits = { ...usualLimits, averageMs: 100, leastBytesPerSecond: 1_000_000 };
    let nowMs = 0;
    jest.useFakeTimers();
    const budget = new BackupBudget(limits, () => nowMs);
    budget.begun(null);
    async function* server() {
      for (let chunk = 0; chunk < 20; chunk += 1) {
        nowMs += 1;
        yield Buffer.alloc(10_000);
      }
    }
    // The vault takes a second for each chunk, and the average is looked at meanwhile.
    for await (const _ of budget.counted(server())) {
      nowMs += 1_000;
      jest.advanceTimersByTime(limits.averageMs);
    }
    expect(budget.fault).toBeUndefined();
    budget.close();
  });
});
