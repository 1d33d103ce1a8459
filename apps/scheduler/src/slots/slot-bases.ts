/** What the slots of timers are decided by: what is kept with each timer, or what the ledger tells of its streams. */
import { streamOf } from '@strongroom/contracts';
import type { Ledger } from '@strongroom/ledger';
import type { EntityManager } from 'typeorm';
import { firstOutcomeOf, hasNoBackup } from './late-timers.js';
import { basisIn, keptWith } from './slot-basis.js';
import type { Judged } from './slot-decision.js';
import type { SlotTimer } from './slot-timers.js';

/** Of how many timers the streams are read in one transaction, because nothing is kept with them. */
const mostRead = 200;

export interface Unjudged {
  scheduleId: string;
  accountId: string | null;
  reason: string;
}

/** A timer that is in none of these is left for the next batch. */
export interface SlotBases {
  known: Judged[];
  /** The ids of schedules that have no slots any more. */
  gone: string[];
  /** The schedules whose slots can't be judged. */
  unjudged: Unjudged[];
}

/** Reads by one statement what is not kept with the timers. */
export async function basesOf(
  manager: EntityManager,
  ledger: Ledger,
  timers: readonly SlotTimer[],
  now: Date,
): Promise<SlotBases> {
  const bases: SlotBases = { known: [], gone: [], unjudged: [] };
  const unread: SlotTimer[] = [];
  for (const timer of timers) {
    const basis = keptWith(timer, now);
    if (basis) bases.known.push({ timer, basis });
    else if (unread.length < mostRead) unread.push(timer);
  }
  if (unread.length > 0) await readInto(bases, manager, ledger, unread, now);
  return bases;
}

async function readInto(
  { known, gone, unjudged }: SlotBases,
  manager: EntityManager,
  ledger: Ledger,
  timers: readonly SlotTimer[],
  now: Date,
): Promise<void> {
  const { told, unreadable } = await ledger.readEach(
    manager,
    timers.flatMap((timer) => [
      ...streamsOf(timer),
      ...aheadOf(timer, now).map((slotAt) => firstOutcomeOf(timer, slotAt)),
    ]),
  );
  for (const read of timers) {
    // What is written down with a timer is a hint: the ledger says which slots have no backup.
    const isNone = (slotAt: Date) => hasNoBackup(told.get(firstOutcomeOf(read, slotAt))?.[0]);
    const timer = { ...read, ahead: read.ahead.filter((slotAt) => slotAt > now || isNone(slotAt)) };
    const { scheduleId, accountId, instanceId } = timer;
    const [broken] = streamsOf(timer).flatMap((stream) => unreadable.get(stream) ?? []);
    if (broken) {
      unjudged.push({ scheduleId, accountId, reason: broken.message });
      continue;
    }
    const schedule = told.get(streamOf('schedule', scheduleId)) ?? [];
    const instance = told.get(streamOf('instance', instanceId)) ?? [];
    const basis = basisIn(timer, now, { schedule, instance });
    if (!('is' in basis)) known.push({ timer, basis });
    else if (basis.is === 'gone') gone.push(scheduleId);
    else unjudged.push({ scheduleId, accountId: basis.accountId, reason: 'it is not of the account of its instance' });
  }
}

/** The slots that are due now and were decided before their time, as a timer says. */
function aheadOf({ ahead }: SlotTimer, now: Date): Date[] {
  return ahead.filter((slotAt) => slotAt <= now);
}

function streamsOf({ scheduleId, instanceId }: SlotTimer) {
  return [streamOf('schedule', scheduleId), streamOf('instance', instanceId)];
}
