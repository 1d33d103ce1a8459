/**
 * What the decision about a slot rests on: what its schedule and its instance are, at the versions of their streams. It is read from the
 * ledger once and kept with the timer. Whoever appends a slot's outcome names the versions, and nothing is appended when a stream has
 * moved on. So a basis that is old decides nothing.
 */
import {
  copyTo,
  datastore,
  dayOfWeek,
  fullBackupRetention,
  hour,
  instant,
  minute,
  type RecordedEvent,
  streamOf,
} from '@strongroom/contracts';
import {
  type DefinedSince,
  definitionsOf,
  fold,
  instanceDecider,
  type RegisteredInstance,
  scheduleDecider,
} from '@strongroom/domain';
import type { ExpectedStream } from '@strongroom/ledger';
import { z } from 'zod';
import type { SlotTimer } from './slot-timers.js';

export interface SlotBasis {
  /** The definitions of the schedule that its slots are judged by, from the one at the timer's slot on. */
  spans: readonly DefinedSince[];
  instance: Pick<RegisteredInstance, 'name' | 'datastore'>;
  reliesOn: readonly ExpectedStream[];
  /** What is to be kept with the timer; undefined when it is there already. */
  toKeep?: KeptBasis;
}

/** An older or a newer version may keep another form: the streams are read then. */
const keptBasis = z.object({
  /** The account and the instance of the timer for which it was read. */
  accountId: z.string(),
  instanceId: z.string(),
  scheduleVersion: z.int(),
  instanceVersion: z.int(),
  /** Since when the definition is in force, and no other change is recorded with a later time. */
  since: instant,
  definition: z.object({ dayOfWeek, hour, minute, fullBackupRetention, copyTo, paused: z.boolean() }),
  instance: z.object({ name: z.string(), datastore }),
});
export type KeptBasis = z.infer<typeof keptBasis>;

/** The basis that is kept with a timer; undefined when the streams must be read: there is none, or its slot is before it. */
export function keptWith(timer: SlotTimer, now: Date): SlotBasis | undefined {
  if (timer.basis === null || timer.ahead.length > 0) return undefined;
  const { data } = keptBasis.safeParse(timer.basis);
  if (!data || data.accountId !== timer.accountId || data.instanceId !== timer.instanceId) return undefined;
  const since = new Date(data.since);
  if (since >= timer.nextSlotAt || since > now) return undefined;
  const { definition, instance, scheduleVersion, instanceVersion } = data;
  return {
    spans: [{ since, definition }],
    instance,
    reliesOn: reliesOn(timer, scheduleVersion, instanceVersion),
  };
}

/** A timer without a basis: it is `gone` with its schedule or its instance, or is not of the account of its instance. */
export type NoBasis = { is: 'gone' } | { is: 'apart'; accountId: string };

/** The basis as the ledger tells it. */
export function basisIn(
  timer: SlotTimer,
  now: Date,
  told: { schedule: readonly RecordedEvent[]; instance: readonly RecordedEvent[] },
): SlotBasis | NoBasis {
  const { accountId, instanceId } = timer;
  const schedule = fold(scheduleDecider, told.schedule);
  const instance = fold(instanceDecider, told.instance);
  if (schedule.is !== 'active' || instance.is !== 'registered') return { is: 'gone' };
  if (instance.accountId !== schedule.accountId) return { is: 'apart', accountId: schedule.accountId };
  // A timer is a row that can be changed. It is made anew from its schedule.
  if (accountId !== schedule.accountId || instanceId !== schedule.instanceId) return { is: 'gone' };
  const scheduleVersion = told.schedule.at(-1)?.version ?? 0;
  const instanceVersion = told.instance.at(-1)?.version ?? 0;
  const { definition } = schedule;
  const { name, datastore } = instance;
  const since = definitionsOf(told.schedule).at(-1)?.since.toISOString() ?? now.toISOString();
  return {
    spans: definitionsOf(told.schedule, { now, latest: new Date(timer.nextSlotAt.getTime() - 1) }),
    instance: { name, datastore },
    reliesOn: reliesOn(timer, scheduleVersion, instanceVersion),
    toKeep: {
      accountId,
      instanceId,
      scheduleVersion,
      instanceVersion,
      since,
      definition,
      instance: { name, datastore },
    },
  };
}

function reliesOn(
  { scheduleId, instanceId }: SlotTimer,
  scheduleVersion: number,
  instanceVersion: number,
): ExpectedStream[] {
  return [
    { stream: streamOf('schedule', scheduleId), version: scheduleVersion },
    { stream: streamOf('instance', instanceId), version: instanceVersion },
  ];
}
