/**
 * Random histories of an instance. Slots run as planned, become full, fail or are skipped. Backups are asked for; another
 * server comes behind the address, or the former comes back. Copies arrive late or never; deletions fail; a client deletes
 * by hand. Schedules are edited or replaced, and lineages are accepted. The deciders decide every step, as they do in the
 * ledger. What retention may delete follows from the plan that the history has kept.
 */
import { describe, expect, it } from '@jest/globals';
import { type EventData, isRefusal } from '@strongroom/contracts';
import fc from 'fast-check';
import { Backup, type Making, regions } from '../fixtures/retention-backup.js';
import { type Outcome, type Step, step } from '../fixtures/retention-steps.js';
import { type BackupCommand, backupDecider } from './backup.js';
import { decide } from './decider.js';
import { account } from './given.js';
import { type JudgedBackup, type Judgement, judgeRetention } from './retention.js';
import { type DefinedSince, definitionAt, plannedType } from './slots.js';

/** The number of histories, of about 60 steps each. A nightly run has more. */
const histories = Number(process.env.STRONGROOM_RETENTION_HISTORIES ?? 100);
const shortest = 50;
const instanceId = '44b277eb-39be-4921-be31-3d61b43651d7';
const firstSlot = Date.parse('2026-11-23T14:30:00.000Z');
const dayMs = 86_400_000;
const nothingSeen = { goes: 0, protected: 0, accepted: 0, 'built-on': 0, 'copies-missing': 0 };
const keysOfSeen = ['goes', 'protected', 'accepted', 'built-on', 'copies-missing'] as const;

const nameOf = (server: number) => `00000000-0000-4000-8000-00000000000${server}`;

class History {
  readonly backups: Backup[] = [];
  /** How often each reason to keep or to delete came up: a history in which nothing happens shows nothing. */
  readonly seen = { ...nothingSeen };
  private retention = 2;
  private server = 0;
  private day = 0;
  private schedule = 0;
  private dayOfWeek = 0;
  private spans: DefinedSince[] = [];
  private readonly accepted = new Map<string, string[]>();

  constructor() {
    this.define();
  }

  take(next: Step): void {
    switch (next.do) {
      case 'slot':
        this.slot(next.outcome);
        break;
      case 'asked for':
        this.askedFor(next);
        break;
      case 'server':
        this.server = next.is;
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
      case 'retention':
        this.retention = next.is;
        break;
      case 'day of week':
        this.dayOfWeek = next.is;
        this.define();
        break;
      case 'new schedule':
        this.schedule += 1;
        this.spans = [];
        this.define();
        break;
      default: {
        const others = [0, 1, 2].filter((each) => each !== next.server).map(nameOf);
        this.accepted.set(nameOf(next.server), others);
      }
    }
  }

  /** Ends every outage, so that every deletion succeeds. */
  settle(): void {
    for (const region of regions) {
      for (const backup of this.backups) if (backup.isGood) backup.copied.add(region);
    }
    while (this.backups.some(({ state }) => state.is === 'deleting')) this.remove(true);
    this.retain();
    while (this.backups.some(({ state }) => state.is === 'deleting')) this.remove(true);
    const stays = this.backups.filter((backup) => this.isHeld(backup) && !this.isPast(backup));
    for (const backup of this.backups.filter((each) => this.isHeld(each) && this.isPast(each))) {
      expect([backup.id, stays.some((each) => each.isBuiltOn(backup))]).toEqual([backup.id, true]);
    }
  }

  private define(): void {
    const definition = {
      dayOfWeek: this.dayOfWeek,
      hour: 14,
      minute: 30,
      fullBackupRetention: 2,
      copyTo: regions,
      paused: false,
    };
    this.spans.push({ since: new Date(firstSlot + this.day * dayMs - dayMs / 2), definition });
  }

  private slot(is: Outcome): void {
    const slotAt = new Date(firstSlot + this.day * dayMs);
    this.day += 1;
    if (is === 'skipped') return;
    const plan = this.dayOfWeek === 7 || slotAt.getUTCDay() === this.dayOfWeek ? 'full' : 'incremental';
    const parent = plan === 'full' || is === 'promoted' ? undefined : this.toBuildOn();
    this.make({ schedule: this.schedule, slotAt, plan, parent }, is !== 'failed');
  }

  private askedFor({ by, type }: Extract<Step, { do: 'asked for' }>): void {
    const parent = type === 'incremental' ? this.toBuildOn() : undefined;
    this.make({ schedule: by === 'run-now' ? this.schedule : undefined, slotAt: null, plan: undefined, parent }, true);
  }

  /** The newest backup, if it is of the same server. */
  private toBuildOn(): Backup | undefined {
    const newest = this.backups.findLast(({ isGood }) => isGood);
    return newest?.made.server === this.server ? newest : undefined;
  }

  private make(made: Omit<Making, 'id' | 'server'>, succeeds: boolean): void {
    const id = `00000000-0000-4000-8000-${String(this.backups.length).padStart(12, '0')}`;
    const { parent, slotAt, schedule } = made;
    const backup = new Backup({ ...made, id, server: this.server });
    const request: EventData<'BackupRequested'> = {
      backupId: id,
      instanceId,
      scheduleId: schedule === undefined ? null : nameOf(schedule),
      slotAt: slotAt?.toISOString() ?? null,
      trigger: slotAt ? 'slot' : schedule === undefined ? 'request' : 'run-now',
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
    const startedAt = new Date(firstSlot).toISOString();
    const result = { region: 'DFW', location: 'there', sizeBytes: 1, rawBytes: 1, sha256: 'a'.repeat(64), startedAt };
    const identity = { lineage: nameOf(this.server), facts: {} };
    if (succeeds) backup.try({ type: 'CompleteBackup', ...attempt, identity, result });
    else backup.try({ type: 'FailBackup', ...attempt, code: 'server-unreachable', reason: 'down' });
    if (succeeds) this.retain();
  }

  /** Copies the newest backup that the region does not have, its ancestors first. */
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
    const before = this.backups.filter((backup) => this.isHeld(backup));
    const deletedInPart = before.filter(({ state }) => state.is === 'delete-failed');
    const { goes, putOff } = judgeRetention(
      before.map((each) => this.judged(each)),
      { cycles: this.retention, accepted: this.accepted },
    );
    this.checkReasons(before, goes, putOff);
    for (const id of goes) {
      const backup = before.find((each) => each.id === id);
      if (backup?.state.is === 'completed' || backup?.state.is === 'delete-failed') this.delete(backup, 'retention');
    }
    const gone = before.filter(({ state }) => state.is === 'deleting');
    const left = this.backups.filter((backup) => this.isHeld(backup));
    for (const backup of gone) {
      expect([backup.id, backup.made.plan]).not.toEqual([backup.id, undefined]);
      expect([backup.id, backup.made.schedule]).toEqual([backup.id, this.schedule]);
      expect(left.filter((each) => each.isBuiltOn(backup)).map(({ id }) => id)).toEqual([]);
      expect([backup.id, goes.includes(backup.id)]).toEqual([backup.id, true]);
      if (!backup.byClient && !deletedInPart.includes(backup))
        expect([backup.id, this.isReplaced(backup, left)]).toEqual([backup.id, true]);
    }
    this.seen.goes += gone.length;
    this.seen.protected += left.filter((backup) => this.isPast(backup)).length;
    this.seen.accepted += gone.filter((backup) => !this.isReplacedBy(backup.made.server, backup, left)).length;
  }

  /** Whatever has had its time goes, or has a reason that is true. */
  private checkReasons(held: Backup[], goes: string[], putOff: Judgement['putOff']): void {
    const found = (id: string) => held.find((backup) => backup.id === id);
    for (const { backupId, ground, waitsFor } of putOff) {
      const backup = found(backupId);
      const awaited = waitsFor.map(found);
      this.seen[ground] += 1;
      expect([backupId, backup?.isGood, awaited.length > 0]).toEqual([backupId, true, true]);
      for (const each of awaited) {
        if (ground === 'built-on') expect([backupId, backup && each?.isBuiltOn(backup)]).toEqual([backupId, true]);
        else expect([backupId, each && this.beginsCycle(each) && !each.isWhole]).toEqual([backupId, true]);
      }
    }
    const told = putOff.map(({ backupId }) => backupId);
    for (const backup of held.filter((each) => this.isDue(each, held))) {
      const isIn = [goes, told].filter((each) => each.includes(backup.id)).length;
      expect([backup.id, isIn]).toEqual([backup.id, 1]);
    }
  }

  /** Whether it would go if every copy were there and nothing were built on it. */
  private isDue(backup: Backup, held: Backup[]): boolean {
    const { plan, schedule, server: own } = backup.made;
    if (plan === undefined || schedule !== this.schedule || !backup.isGood) return false;
    return [0, 1, 2].some((server) => {
      if (server !== own && !this.accepted.get(nameOf(server))?.includes(nameOf(own))) return false;
      const newer = held.filter((each) => this.beginsCycle(each) && each.made.server === server);
      return newer.filter((each) => Number(backup.made.slotAt) < Number(each.made.slotAt)).length >= this.retention;
    });
  }

  /** Whether there are as many newer whole cycles as are to be kept, of its server or of one accepted in its place. */
  private isReplaced(backup: Backup, left: Backup[]): boolean {
    return [0, 1, 2].some((server) => this.isReplacedBy(server, backup, left));
  }

  private isReplacedBy(server: number, backup: Backup, left: Backup[]): boolean {
    const isOwn = server === backup.made.server;
    if (!isOwn && !this.accepted.get(nameOf(server))?.includes(nameOf(backup.made.server))) return false;
    const cycles = left.filter((each) => this.beginsCycle(each) && each.made.server === server);
    const isOlder = (each: Backup) => Number(backup.made.slotAt) < Number(each.made.slotAt);
    return (
      cycles.filter((each) => each.isWhole && isOlder(each)).length >= this.retention && cycles.at(-1)?.isWhole === true
    );
  }

  /** Whether it may go, if nothing is built on it. */
  private isPast(backup: Backup): boolean {
    const { plan, schedule } = backup.made;
    if (plan === undefined || schedule !== this.schedule || !backup.isGood) return false;
    return this.isReplaced(
      backup,
      this.backups.filter((each) => this.isHeld(each)),
    );
  }

  private beginsCycle({ made, isGood }: Backup): boolean {
    return isGood && made.plan === 'full' && made.schedule === this.schedule;
  }

  private isHeld({ state }: Backup): boolean {
    return ['requested', 'running', 'completed', 'delete-failed'].includes(state.is);
  }

  private judged(backup: Backup): JudgedBackup {
    const { id, made, type, state } = backup;
    const slotAt = made.schedule === this.schedule ? made.slotAt : null;
    return {
      backupId: id,
      parentId: made.parent?.id ?? null,
      slotAt,
      planned: slotAt ? plannedType(definitionAt(this.spans, slotAt).dayOfWeek, slotAt) : 'incremental',
      type,
      lineage: 'lineage' in state ? (state.lineage ?? null) : null,
      is: state.is === 'completed' || state.is === 'delete-failed' ? state.is : 'unended',
      isCopied: regions.every((region) => backup.copied.has(region)),
    };
  }

  /** Deletes a backup together with everything that is built on it, or not at all. */
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

  /** The backup and what is still there of what was built on it, parents first. */
  private below(root: Backup): Backup[] {
    const chain = [root];
    for (const backup of this.backups) {
      if (backup.parent && chain.includes(backup.parent) && backup.state.is !== 'deleted') chain.push(backup);
    }
    return chain;
  }
}

describe('retention, over random histories', () => {
  it('leaves no orphan and no broken chain, keeps enough cycles and all backups that were asked for, and deletes the rest', () => {
    let steps = 0;
    const seen = { ...nothingSeen };
    fc.assert(
      fc.property(fc.array(step, { minLength: shortest, maxLength: 120 }), (taken) => {
        const history = new History();
        for (const each of taken) {
          const goodBefore = history.backups.some(({ isGood }) => isGood);
          history.take(each);
          steps += 1;
          for (const backup of history.backups) {
            const { parent } = backup;
            // The parent of a stored backup is stored, and the parent of a good backup is good.
            if (backup.isStored && parent) expect([backup.id, parent.isStored]).toEqual([backup.id, true]);
            if (backup.isGood && parent) expect([backup.id, parent.isGood]).toEqual([backup.id, true]);
          }
          if (each.do !== 'client deletes' && goodBefore)
            expect(history.backups.some(({ isGood }) => isGood)).toBe(true);
        }
        history.settle();
        for (const each of keysOfSeen) seen[each] += history.seen[each];
      }),
      { numRuns: histories },
    );
    expect(steps).toBeGreaterThanOrEqual(histories * shortest);
    // The histories had enough deletions, and enough backups that had to be kept.
    expect(seen.goes).toBeGreaterThan(histories);
    expect(seen.protected).toBeGreaterThan(histories / 10);
    expect(seen.accepted).toBeGreaterThan(0);
    expect(seen['built-on']).toBeGreaterThan(histories / 10);
    expect(seen['copies-missing']).toBeGreaterThan(histories / 10);
  }, 600_000);
});
