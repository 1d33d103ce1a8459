/**
 * Random histories of attempts, deletions and sweeps that freeze, fail, die and wake up. What the ledger calls completed is
 * whole where the ledger says, and nothing stays of what it calls gone.
 */
import { expect, it } from '@jest/globals';
import type { KindOfVault } from '../../../test/vaults/late-attempts.js';
import { live } from '../fixtures/vault-history.js';

/** The nightly run asks for more. */
const histories = Number(process.env.STRONGROOM_VAULT_HISTORIES ?? 200);
const firstSeed = Number(process.env.STRONGROOM_VAULT_SEED ?? 1);
/** Histories wait for the disk, so many of them run at once. */
const atOnce = 8;

const kinds: readonly KindOfVault[] = ['directory', 'objects'];

it.each(kinds)(
  'in vaults of the kind %s, no history of attempts ends with a completed backup or copy that is damaged, or with bytes of one that is deleted',
  async (kind) => {
    const endings = new Map<string, number>();
    const violations: string[] = [];
    for (let begun = 0; begun < histories && violations.length === 0; begun += atOnce) {
      const seeds = Array.from({ length: atOnce }, (_, more) => firstSeed + begun + more);
      for (const [index, lived] of (await Promise.all(seeds.map((seed) => live(seed, kind)))).entries()) {
        const ending = `backup ${lived.backup}, copy ${lived.copy}`;
        endings.set(ending, (endings.get(ending) ?? 0) + 1);
        if (lived.violations.length > 0)
          violations.push(`seed ${seeds[index]}:\n${[...lived.told, ...lived.violations].join('\n')}`);
      }
    }
    expect(violations).toEqual([]);
    for (const ending of [
      'backup completed, copy completed',
      'backup deleted, copy deleted',
      'backup failed, copy absent',
    ])
      expect([...endings.keys()]).toContain(ending);
  },
  3_600_000,
);
