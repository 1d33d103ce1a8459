import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createLogger, Metrics } from '@strongroom/runtime';
import { eventually } from '../../../test/services/eventually.js';
import { patience } from '../../../test/services/patience.js';
import { chunksOf, storeSample } from '../fixtures/sample-backup.js';
import { copyBackup } from './copy-backup.js';
import { DirectoryStore } from './directory/directory-store.js';
import { DirectoryVault } from './directory/directory-vault.js';
import { VaultRoot } from './directory/vault-root.js';
import type { Budget } from './flow/token-bucket.js';
import { Traffic } from './flow/traffic.js';
import { ObjectVault } from './object/object-vault.js';
import type { Vault } from './vault.js';
import { Vaults } from './vaults.js';
import { endingWith } from './watched-vault.js';

const sizeBytes = 300_000;
const objects = new Map([['base.tar.zst', Buffer.alloc(sizeBytes, 7)]]);
const soon = { withinMs: 10_000 };
const never = new AbortController().signal;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'strongroom-traffic-'));
  for (const region of ['DFW', 'ORD']) await mkdir(join(folder, region));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

const kinds: [kind: string, open: (region: string) => Vault][] = [
  ['a directory', (region) => new DirectoryVault(region, join(folder, region))],
  [
    'a store of objects',
    (region) => new ObjectVault(region, new DirectoryStore(new VaultRoot(region, join(folder, region))), 65_536),
  ],
];

/** Gives out whatever is asked for, and keeps an account of it. */
function counted() {
  const given = new Map<string, number>();
  const budgetOf = (scope: string): Budget => ({
    ask(bytes) {
      given.set(scope, (given.get(scope) ?? 0) + bytes);
      return { bytes, inMs: 0 };
    },
  });
  return { given, budgetOf };
}

describe('the number of transfers at a time', () => {
  it('is what was set, then what the settings say, and each change is told once', () => {
    const told: string[] = [];
    const log = createLogger({
      app: 'spec',
      level: 'info',
      to: { write: (line) => void told.push(String(JSON.parse(line).msg)) },
    });
    const traffic = new Traffic({ atATime: new Map([['DFW', 4]]), log });
    const most = () => ['DFW', 'ORD'].map((region) => traffic.permits.limits().get(region));
    expect(most()).toEqual([4, undefined]);
    for (let pass = 0; pass < 2; pass += 1) {
      const set = new Map([
        ['DFW', null],
        ['ORD', 2],
      ]);
      traffic.setCaps(set);
      expect(most()).toEqual([undefined, 2]);
    }
    traffic.setCaps(new Map());
    expect(most()).toEqual([4, undefined]);
    expect(told).toEqual([
      'the vault of ORD has 2 transfers at a time',
      'the vault of DFW has as many transfers at a time as there are',
      'the vault of DFW has 4 transfers at a time',
      'the vault of ORD has as many transfers at a time as there are',
    ]);
  });
});

it('what holds transfers back is told by what it limits, as long as it counts', () => {
  const traffic = new Traffic({ first: new Map([['DFW:ORD', 5_000]]), atATime: new Map([['DFW', 4]]) });
  const none = { bytesPerSecond: null, atATime: null, requestsAtATime: null };
  const first = [
    { ...none, scope: 'DFW', atATime: 4 },
    { ...none, scope: 'DFW:ORD', bytesPerSecond: 5_000 },
  ];
  expect(traffic.inForce()).toEqual(first);
  traffic.setLimits(
    new Map([
      ['process', 70],
      ['DFW:ORD', null],
      ['ORD', 60],
    ]),
  );
  traffic.setCaps(new Map([['ORD', 2]]));
  expect(traffic.inForce()).toEqual([
    { ...none, scope: 'DFW', atATime: 4 },
    { ...none, scope: 'ORD', bytesPerSecond: 60, atATime: 2 },
    { ...none, scope: 'process', bytesPerSecond: 70 },
  ]);
  traffic.setLimits(new Map());
  traffic.setCaps(new Map());
  expect(traffic.inForce()).toEqual(first);
});

describe.each(kinds)('a limit of transfers in %s', (_, open) => {
  it('holds for backups, copies, verifications and restores, and for the region that each of them is in', async () => {
    const { given, budgetOf } = counted();
    // What is given out at a time is little, so the sum is close to what has passed.
    const first = new Map(['DFW', 'ORD', 'DFW:ORD', 'ORD:DFW'].map((scope) => [scope, 4_000]));
    const traffic = new Traffic({ first, sharedBudget: budgetOf });
    const vaults = new Vaults(new Map(['DFW', 'ORD'].map((region) => [region, open(region)])), { traffic });
    const passed = async (work: () => Promise<unknown>) => {
      given.clear();
      await work();
      return Object.fromEntries([...given].map(([scope, bytes]) => [scope, Math.round(bytes / sizeBytes)]));
    };
    const [from, to] = [vaults.of('DFW'), vaults.of('ORD')];
    let backupId = '';
    let sha256 = '';
    // It is written, and read back.
    expect(
      await passed(async () => {
        const stored = await storeSample(from, { objects });
        backupId = stored.backupId;
        sha256 = createHash('sha256').update(stored.manifestBytes).digest('hex');
      }),
    ).toEqual({ DFW: 2 });
    expect(
      await passed(() => copyBackup({ from, to, backupId, attempt: 1, expectedSha256: sha256, signal: never })),
    ).toEqual({ DFW: 1, 'DFW:ORD': 1, ORD: 2 });
    expect(await passed(() => to.verify(backupId))).toEqual({ ORD: 1 });
    expect(await passed(() => buffer(to.read(backupId, 'base.tar.zst')))).toEqual({ ORD: 1 });
  });

  it('is no fault of the vault: what waits for it does not hang, and ends at once when it is told to', async () => {
    const metrics = new Metrics();
    const traffic = new Traffic({ first: new Map([['DFW', 1]]), metrics });
    const limitMs = 300 * patience;
    const least = { limitMs, graceMs: 100, leastBytesPerSecond: 1_000_000, traffic };
    const vault = new Vaults(new Map([['DFW', open('DFW')]]), least).of('DFW');
    const ending = new AbortController();
    const upload = await endingWith(vault, ending.signal).begin('01a215ed-2e1e-7057-ba0a-a76da3483220', 1);
    let isOver = false;
    const begunAt = performance.now();
    const put = upload.put('base.tar.zst', chunksOf(Buffer.alloc(sizeBytes))).finally(() => {
      isOver = true;
    });
    const limits = await eventually(async () => {
      const text = await metrics.text();
      expect(text).toContain('strongroom_transfer_waits_total{limit="DFW"} 1');
      return text;
    }, soon);
    expect(limits).toContain('strongroom_transfer_limit_bytes_per_second{limit="DFW"} 1');
    // For longer than the vault may be silent.
    await eventually(() => expect(performance.now() - begunAt).toBeGreaterThan(2 * limitMs), soon);
    expect(isOver).toBe(false);
    ending.abort(new Error('it is not wanted any more'));
    await expect(put).rejects.toThrow('it is not wanted any more');
    await upload.discard();
  });
});
