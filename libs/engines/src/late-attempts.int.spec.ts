import { randomUUID } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { FixedClock } from '@strongroom/runtime/light';
import type { Vault } from '@strongroom/vault';
import { type Crossing, type KindOfVault, tryEveryOperation } from '../../../test/vaults/late-attempts.js';
import { BytesEngine } from '../fixtures/bytes-engine.js';
import { SealsInMemory } from '../fixtures/seals-in-memory.js';
import { storeBackup } from './store-backup.js';

const clock = new FixedClock(new Date('2026-11-14T14:31:00.000Z'));
const backupId: string = randomUUID();
const instanceId = randomUUID();
const seals = new SealsInMemory();

const attempt = (vault: Vault, number: number) =>
  storeBackup({
    engine: new BytesEngine(),
    vault,
    clock,
    target: {
      instanceId,
      endpoint: { host: 'localhost', port: 1, user: 'u', database: 'd', tls: 'disable' },
      password: '',
    },
    backup: {
      backupId,
      accountId: 'acme',
      instanceId,
      instanceName: 'orders',
      type: 'full',
      parentId: null,
      startedAt: new Date('2026-11-14T14:30:00.000Z'),
    },
    attempt: number,
    seals,
    signal: new AbortController().signal,
  });

describe('a backup is whole where its newest attempt says that it lies, whichever operation is interrupted', () => {
  const crossings: [string, Omit<Crossing, 'backupId' | 'attempt'>][] = [
    ['the disk fails', { troubled: 1 }],
    [
      'the disk fails when there is one already',
      { troubled: 2, before: async (vault) => void (await attempt(vault, 1)) },
    ],
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
      const { operations, violations } = await tryEveryOperation({ kind, backupId, attempt, ...crossing });
      expect(violations).toEqual([]);
      expect(operations).toBeGreaterThan(kind === 'directory' ? 30 : 8);
    },
    240_000,
  );
});
