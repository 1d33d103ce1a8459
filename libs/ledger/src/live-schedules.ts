/** Finds the schedules that are not deleted by the ledger alone, so that their timers depend on no view. */
import { idOf } from '@strongroom/contracts';
import type { EntityManager } from 'typeorm';
import { z } from 'zod';

export interface LiveSchedule {
  id: string;
  accountId: string;
  /** The version of the schedule's newest definition. */
  version: number;
  /** The position of the schedule's first event. */
  position: number;
}

/** A round of a million events takes three hours, at a step a minute. */
const stepSize = 5_000;

const steps = z
  .array(
    z.object({
      read: z.int(),
      end: z.coerce.number(),
      found: z.array(
        z
          .object({ stream: z.string(), accountId: z.string(), version: z.int(), position: z.int() })
          .transform(({ stream, ...rest }): LiveSchedule => ({ id: idOf(stream), ...rest })),
      ),
    }),
  )
  .length(1);

/**
 * One step of a round over all schedules. What has changed in the last five minutes is left out, because a feed may take as long
 * to bring the news. A time that lies ahead was written by a clock that has been put right since.
 * @param after the position up to which the round is
 * @returns the schedules of the step in order of position, and the position up to which the round is then; undefined at its end
 */
export async function liveSchedules(
  manager: EntityManager,
  after = 0,
): Promise<{ found: LiveSchedule[]; end: number | undefined }> {
  const rows: unknown = await manager.query(
    `with step as (
       select stream, account_id, version, position from ledger_event
       where aggregate = 'schedule' and position > $1 order by position limit ${stepSize}
     ), live as (
       select step.stream, step.account_id as "accountId", newest.version, step.position from step
       cross join lateral (
         select version, at from ledger_event e where e.stream = step.stream and e.type in ('ScheduleCreated', 'ScheduleUpdated')
         order by version desc limit 1
       ) newest
       where step.version = 1
         and (newest.at < now() - interval '5 minutes' or newest.at > now() + interval '5 minutes')
         and not exists (select from ledger_event e where e.stream = step.stream and e.type = 'ScheduleDeleted')
     )
     select (select count(*) from step)::int as read, coalesce((select max(position) from step), $1) as end,
       coalesce((select json_agg(live order by position) from live), '[]') as found`,
    [after],
  );
  const [step] = steps.parse(rows);
  return { found: step?.found ?? [], end: step?.read === stepSize ? step.end : undefined };
}
