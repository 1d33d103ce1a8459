import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { gatedVault } from '../../../test/vaults/gated-files.js';
import { type Crossing, type KindOfVault, tryEveryOperation } from '../../../test/vaults/late-attempts.js';
import { type SampleBackup, storeSample } from '../fixtures/sample-backup.js';
import { copyBackup } from './copy-backup.js';
import type { Vault } from './vault.js';

let folder: string;
let from: Vault;
let sample: SampleBackup;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'strongroom-source-'));
  await mkdir(join(folder, 'SYD'));
  from = gatedVault('SYD', join(folder, 'SYD')).vault;
  const objects = new Map([['base.tar.zst', Buffer.alloc(1_000, 'x')]]);
  sample = await storeSample(from, { objects });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const attempt = (to: Vault, number: number) =>
  copyBackup({
    from,
    to,
    backupId: sample.backupId,
    attempt: number,
    expectedSha256: createHash('sha256').update(sample.manifestBytes).digest('hex'),
    signal: new AbortController().signal,
  });

describe('a copy is whole where its newest attempt says that it lies, whichever operation is interrupted', () => {
  const crossings: [string, Omit<Crossing, 'backupId' | 'attempt'>][] = [
    ['the disk fails', { troubled: 1 }],
    ['an attempt freezes, and the next one completes', { troubled: 1, meanwhile: (vault) => attempt(vault, 2) }],
    [
      'an attempt freezes that finds one sealed, and the next one completes with it',
      {
        troubled: 2,
        before: async (vault) => void (await attempt(vault, 1)),
        meanwhile: (vault) => attempt(vault, 3),
      },
    ],
    [
      'the newest freezes, and one that woke up late goes on meanwhile',
      {
        troubled: 2,
        meanwhile: async (vault) => {
          await attempt(vault, 1).catch(() => {});
          return undefined;
        },
      },
    ],
  ];

  const kinds: KindOfVault[] = ['directory', 'objects'];
  it.each(kinds.flatMap((kind) => crossings.map(([title, crossing]) => [kind, title, crossing] as const)))(
    '%s: %s',
    async (kind, _, crossing) => {
      const { operations, violations } = await tryEveryOperation({
        kind,
        backupId: sample.backupId,
        attempt,
        ...crossing,
      });
      expect(violations).toEqual([]);
      expect(operations).toBeGreaterThan(kind === 'directory' ? 30 : 8);
    },
    240_000,
  );
});
