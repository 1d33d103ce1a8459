/**
 * Random histories of a schedule: backups that complete or fail, copies that arrive late or never, deletions that fail,
 * a client that deletes by hand, a retention that changes. The deciders do every step, as they do in the ledger.
 */
import { describe, expect, it } from '@jest/globals';
import { type EventData, isRefusal, type NewEvent } from '@strongroom/contracts';
import fc from 'fast-check';
import { type BackupCommand, type BackupState, backupDecider } from './backup.js';
import { decide, fold } from './decider.js';
import { account, recorded } from './given.js';
import { beyondRetention, type FullOfSchedule } from './retention.js';

/** More of them by night: each history has about 50 steps. */
const histories = Number(process.env.STRONGROOM_RETENTION_HISTORIES ?? 100);
const shortest = 40;
const regions = ['IAD', 'ORD'];
const instanceId = '44b277eb-39be-4921-be31-3d61b43651d7';
const scheduleId = '88b277eb-39be-4921-be31-3d61b43651d7';
const at = '2026-11-23T14:30:00.000Z';

type Step =
  | { do: 'run'; type: 'full' | 'incremental'; succeeds: boolean }
  | { do: 'copy'; region: number; succeeds: boolean }
  | { do: 'removal'; succeeds: boolean }
  | { do: 'client deletes'; which: number }
  | { do: 'retention'; is: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('run' as const),
      type: fc.constantFrom('full', 'incremental'),
      succeeds: often(),
    }),
  },
  { weight: 8, arbitrary: fc.record({ do: fc.constant('copy' as const), region: fc.nat(1), succeeds: often() }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('removal' as const), succeeds: often() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('client deletes' as const), which: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('retention' as const), is: fc.integer({ min: 1, max: 4 }) }) },
);

function often(): fc.Arbitrary<boolean> {
  return fc.integer({ min: 0, max: 4 }).map((n) => n > 0);
}

class Backup {
  state: BackupState = fold(backupDecider, []);
  private readonly events: NewEvent[] = [];
  readonly copied = new Set<string>();
  byClient = false;

  constructor(
    readonly id: string,
    readonly type: 'full' | 'incremental',
    readonly parent: Backup | undefined,
  ) {}

  /** False when the decider refuses. */
  try(command: BackupCommand): boolean {
    const decision = decide(backupDecider, command, this.state);
    if (isRefusal(decision)) return false;
    this.events.push(...decision.events);
    this.state = fold(backupDecider, recorded(this.events));
    return true;
  }

  /** What the vaults hold of it. */
  get isStored(): boolean {
    return ['completed', 'deleting', 'delete-failed'].includes(this.state.is);
  }

  get isGood(): boolean {
    return this.state.is === 'completed';
  }

  get isWhole(): boolean {
    return this.isGood && regions.every((region) => this.copied.has(region));
  }
}

class History {
  readonly backups: Backup[] = [];
  retention = 2;

  take(next: Step): void {
    switch (next.do) {
      case 'run':
        this.run(next.type, next.succeeds);
        break;
      case 'copy':
        this.copy(regions[next.region] ?? '', next.succeeds);
        break;
      case 'removal':
        this.remove(next.succeeds);
        break;
      case 'client deletes':
        this.deleteByHand(next.which);
        break;
      default:
        this.retention = next.is;
    }
  }

  private run(type: 'full' | 'incremental', succeeds: boolean): void {
    const parent = type === 'incremental' ? this.backups.findLast(({ isGood }) => isGood) : undefined;
    const id = `00000000-0000-4000-8000-${String(this.backups.length).padStart(12, '0')}`;
    const backup = new Backup(id, parent ? 'incremental' : 'full', parent);
    const request: EventData<'BackupRequested'> = {
      backupId: id,
      instanceId,
      scheduleId,
      slotAt: at,
      trigger: 'slot',
      type: backup.type,
      parentId: parent?.id ?? null,
      name: 'orders',
      description: null,
      datastore: { type: 'postgresql', version: '18' },
      copyTo: regions,
    };
    expect(backup.try({ type: 'RequestBackup', request, ...(parent && { parent: parent.state }) })).toBe(true);
    this.backups.push(backup);
    const attempt = { backupId: id, attempt: 1 };
    backup.try({ type: 'StartBackup', ...attempt, region: 'DFW', runner: 'runner' });
    const result = {
      region: 'DFW',
      location: 'there',
      sizeBytes: 1,
      rawBytes: 1,
      sha256: 'a'.repeat(64),
      startedAt: at,
    };
    if (succeeds) backup.try({ type: 'CompleteBackup', ...attempt, result });
    else backup.try({ type: 'FailBackup', ...attempt, code: 'server-unreachable', reason: 'down' });
    if (succeeds) this.retain();
  }

  /** The newest that misses the region gets it, its ancestors first. */
  private copy(region: string, succeeds: boolean): void {
    const missing = this.backups.findLast((backup) => backup.isGood && !backup.copied.has(region));
    if (!missing || !succeeds) return;
    for (let each: Backup | undefined = missing; each; each = each.parent) each.copied.add(region);
    this.retain();
  }

  private remove(succeeds: boolean): void {
    const root = this.backups.find(({ state, parent }) => state.is === 'deleting' && parent?.state.is !== 'deleting');
    if (!root) return;
    for (const backup of this.below(root).reverse()) {
      const { id: backupId } = backup;
      if (succeeds) backup.try({ type: 'ConfirmDeletion', backupId });
      else backup.try({ type: 'FailDeletion', backupId, code: 'vault-unavailable', reason: 'away' });
    }
  }

  private deleteByHand(which: number): void {
    const backup = this.backups[which];
    if (backup) for (const each of this.delete(backup, 'request')) each.byClient = true;
  }

  private retain(): void {
    const fulls = this.backups.filter(({ type }) => type === 'full').reverse();
    const judged = fulls.flatMap((backup): FullOfSchedule[] => {
      const { is } = backup.state;
      if (is !== 'completed' && is !== 'delete-failed') return [];
      return [{ backupId: backup.id, is, isCopied: regions.every((region) => backup.copied.has(region)) }];
    });
    const whole = fulls.filter(({ isWhole }) => isWhole).length;
    for (const id of beyondRetention(judged, this.retention)) {
      const backup = fulls.find((each) => each.id === id);
      if (backup) this.delete(backup, 'retention');
    }
    const left = fulls.filter(({ isWhole }) => isWhole).length;
    expect(left).toBeGreaterThanOrEqual(Math.min(whole, this.retention));
    if (left < whole) expect(fulls.find(({ isGood }) => isGood)?.isWhole).toBe(true);
  }

  /** With everything made from it, or not at all. */
  private delete(root: Backup, trigger: 'request' | 'retention'): Backup[] {
    const chain = this.below(root);
    const command = (backupId: string): BackupCommand => ({
      type: 'RequestDeletion',
      backupId,
      accountId: account,
      trigger,
    });
    if (chain.some((backup) => isRefusal(decide(backupDecider, command(backup.id), backup.state)))) return [];
    for (const backup of chain) backup.try(command(backup.id));
    return chain;
  }

  /** The backup and what was made from it that is still there, parents first. */
  private below(root: Backup): Backup[] {
    const chain = [root];
    for (const backup of this.backups) {
      if (backup.parent && chain.includes(backup.parent) && backup.state.is !== 'deleted') chain.push(backup);
    }
    return chain;
  }
}

describe('retention, over random histories', () => {
  it('leaves no orphan and no broken chain, keeps what is asked, and never takes the last good chain', () => {
    let steps = 0;
    let deleted = 0;
    fc.assert(
      fc.property(fc.array(step, { minLength: shortest, maxLength: 100 }), (taken) => {
        const history = new History();
        for (const each of taken) {
          const goodBefore = history.backups.some(({ isGood }) => isGood);
          history.take(each);
          steps += 1;
          for (const backup of history.backups) {
            const { parent } = backup;
            // Whatever is stored stands on something that is stored; whatever is good, on something good.
            if (backup.isStored && parent) expect([backup.id, parent.isStored]).toEqual([backup.id, true]);
            if (backup.isGood && parent) expect([backup.id, parent.isGood]).toEqual([backup.id, true]);
          }
          if (each.do !== 'client deletes' && goodBefore)
            expect(history.backups.some(({ isGood }) => isGood)).toBe(true);
        }
        deleted += history.backups.filter(({ state, byClient }) => state.is === 'deleted' && !byClient).length;
      }),
      { numRuns: histories },
    );
    expect(steps).toBeGreaterThanOrEqual(histories * shortest);
    // It is not for want of deletions that nothing went wrong. There are several in a history as a rule, and at least 50 histories.
    expect(deleted).toBeGreaterThan(histories / 10);
  }, 600_000);
});
