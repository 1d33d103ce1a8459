/**
 * Records what was decided about slots, within the transaction that has taken their timers. A slot whose backup can't begin, because
 * another of its instance has not ended or its account stores as much as it may, is skipped with the reason.
 */
import { begunBy, isRefusal, type RecordedEvent } from '@strongroom/contracts';
import { backupDecider } from '@strongroom/domain';
import { type Ledger, plan, type RelyingOutcome, type RelyingRequest } from '@strongroom/ledger';
import { storedBytesOf } from '@strongroom/read-model';
import { type Ids, type Quota, quotaOf, withNewTrace } from '@strongroom/runtime';
import type { EntityManager } from 'typeorm';
import { whyBusy } from './busy-instances.js';
import { type SlotDecision, skipBusy, skipOverQuota, skipTaken } from './slot-decision.js';

export interface Recorded {
  /** The decisions that are the slots' outcomes. */
  recorded: SlotDecision[];
  /**
   * The decisions that came to nothing: their schedule or instance has changed since it was read, or another timer of the instance was
   * decided before them in the same batch. Their slots are still to be decided.
   */
  undone: SlotDecision[];
}

export class SlotRecording {
  constructor(
    private readonly parts: {
      ledger: Ledger;
      ids: Ids;
      /** How many GiB an account may store. */
      storageQuota: Quota;
    },
  ) {}

  /** Whether the account may store only so much. */
  isLimited(accountId: string): boolean {
    return quotaOf(this.parts.storageQuota, accountId) !== null;
  }

  /** No backup is begun of an account that stores as much as it may. Its views are up to date, or it waits for them. */
  async skipOverQuota(manager: EntityManager, decisions: readonly SlotDecision[]): Promise<void> {
    const asked = decisions.filter(({ command }) => command.type === 'RequestBackup');
    const most = new Map(
      asked.flatMap(({ timer: { accountId } }) => {
        const gib = quotaOf(this.parts.storageQuota, accountId);
        return gib === null ? [] : [[accountId, gib] as const];
      }),
    );
    const stored = await storedBytesOf(manager, [...most.keys()]);
    for (const decision of asked) {
      const { accountId } = decision.timer;
      const [bytes, mostGib] = [stored.get(accountId) ?? 0, most.get(accountId)];
      if (mostGib === undefined || bytes < mostGib * 1_073_741_824) continue;
      decision.command = skipOverQuota(decision, { bytes, mostGib }).command;
    }
  }

  /**
   * Appends the decisions. From its first append on it holds the lock that every other append waits for, so nothing is logged before the
   * commit.
   */
  async record(manager: EntityManager, decisions: SlotDecision[]): Promise<Recorded> {
    if (decisions.length === 0) return { recorded: [], undone: [] };
    const { first: asked, others } = eachInstanceOnce(decisions);
    await this.skipBusy(manager, asked);
    const first = await this.append(manager, asked);
    // Another request has begun a backup of these instances since they were looked at.
    const second = await this.append(manager, first.claimed.map(skipTaken));
    return {
      recorded: [...first.recorded, ...second.recorded],
      undone: [...others, ...first.undone, ...second.undone],
    };
  }

  /** A slot whose backup can't begin, because another of the instance has not ended, is skipped. */
  private async skipBusy(manager: EntityManager, decisions: readonly SlotDecision[]): Promise<void> {
    const asked = decisions.flatMap(({ timer, command }) => (command.type === 'RequestBackup' ? timer.instanceId : []));
    if (asked.length === 0) return;
    const busy = await this.parts.ledger.claimedOf(manager, 'running-backup-of-instance', asked);
    const why = await whyBusy(manager, this.parts.ledger, [...busy.values()]);
    for (const decision of decisions) {
      if (decision.command.type !== 'RequestBackup') continue;
      const holder = busy.get(decision.timer.instanceId);
      if (holder !== undefined) decision.command = skipBusy(decision, why(holder)).command;
    }
  }

  private async append(
    manager: EntityManager,
    decisions: readonly SlotDecision[],
  ): Promise<Recorded & { claimed: SlotDecision[] }> {
    const kept = decisions.filter(({ makesUp, command }) => !makesUp || command.type === 'RequestBackup');
    const requests = kept.map((decision) => this.request(decision));
    const outcomes = await this.parts.ledger.appendRelying(manager, requests);
    const which = (outcome: RelyingOutcome['outcome']) =>
      kept.filter((_, index) => outcomes[index]?.outcome === outcome);
    return { recorded: which('appended'), claimed: which('claimed'), undone: which('outdated') };
  }

  private request({ id, timer, command, reliesOn }: SlotDecision): RelyingRequest {
    const begun = begunBy('strongroom-scheduler', `slot-${id}`);
    const context = command.type === 'RequestBackup' ? withNewTrace(begun, { name: 'slot' }) : begun;
    // It is decided on an empty history. When another scheduler was faster this append is a conflict, and that outcome stays.
    const request = plan({ ids: this.parts.ids }, backupDecider, { ...timer, id, context }, command, noHistory);
    if (isRefusal(request)) throw new TypeError(`a slot without a history was refused: ${request.message}`);
    return { ...request, reliesOn };
  }
}

const noHistory: readonly RecordedEvent[] = [];

/**
 * The decisions of one timer of each instance. No two requests of one append may share a claim. And nobody knows yet whether the first of
 * them counts: its schedule may be gone, and its timer left. The others are decided when it does.
 */
function eachInstanceOnce(decisions: readonly SlotDecision[]): { first: SlotDecision[]; others: SlotDecision[] } {
  const schedules = new Map<string, string>();
  const [first, others]: [SlotDecision[], SlotDecision[]] = [[], []];
  for (const decision of decisions) {
    const { instanceId, scheduleId } = decision.timer;
    if (!schedules.has(instanceId)) schedules.set(instanceId, scheduleId);
    (schedules.get(instanceId) === scheduleId ? first : others).push(decision);
  }
  return { first, others };
}
