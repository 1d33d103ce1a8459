/**
 * The events of many accounts beyond a position each, read by one statement. Its cost goes by what it reads: whatever the statistics say,
 * each account is one walk along its own part of an index.
 */
import { preparedWithin } from '@strongroom/runtime';
import type { EntityManager } from 'typeorm';
import { z } from 'zod';
import { eventColumns, eventColumnsWithText } from './event-row.js';
import { type ReadEvents, readEvents } from './read-events.js';

/** How much is read at most, of all accounts together. One event is read in any case. */
export interface NextLimits {
  events: number;
  /** Of the data of the events, as the database stores them. */
  bytes: number;
}

export interface NextOfAccount extends ReadEvents {
  /** Whether the account may have more events behind these. */
  isMore: boolean;
}

/** How much was read up to a row and with it. */
const sizes = z.array(z.looseObject({ bytes_so_far: z.number() }));

/**
 * @param after by account, the position beyond which its events are read
 * @returns the tail of each account that was reached, in the order of `after`. A limit leaves out the end of the last one, and those behind it.
 */
export async function nextOfAccounts(
  manager: EntityManager,
  after: ReadonlyMap<string, number>,
  limits: NextLimits,
): Promise<Map<string, NextOfAccount>> {
  if (after.size === 0) return new Map();
  const most = Math.trunc(limits.events);
  const rows: unknown = await preparedWithin(
    manager,
    // The order of the whole index keeps the planner from the index of positions, which has the events of all accounts. A limit that is
    // a literal lets it keep the plan.
    `select ${eventColumns}, bytes_so_far from (
       select ${eventColumns}, bytes, sum(bytes) over (rows unbounded preceding)::float8 as bytes_so_far from (
         select of_one.* from unnest($1::text[], $2::bigint[]) as asked(account, after) cross join lateral (
           select ${eventColumnsWithText}, pg_column_size(data) as bytes from ledger_event e
           where (e.account_id, e.position) > (asked.account, asked.after) and e.account_id <= asked.account
           order by e.account_id, e.position limit ${most}
         ) of_one limit ${most}
       ) tail
     ) bounded where bytes_so_far - bytes < $3`,
    [[...after.keys()], [...after.values()], limits.bytes],
  );
  const read = readEvents(rows);
  const [last] = sizes.parse(z.array(z.unknown()).parse(rows).slice(-1));
  const byAccount = new Map<string, ReadEvents>();
  const of = (accountId: string, position: number): ReadEvents => {
    const own = byAccount.get(accountId) ?? nothing();
    byAccount.set(accountId, own);
    own.read += 1;
    own.end = Math.max(own.end ?? 0, position);
    return own;
  };
  for (const event of read.events) of(event.accountId, event.position).events.push(event);
  for (const each of read.newer) of(each.accountId, each.position).newer.push(each);
  for (const each of read.unreadable) of(each.accountId, each.position).unreadable.push(each);
  const isCut = read.read === most || (last !== undefined && last.bytes_so_far >= limits.bytes);
  const reached = [...after.keys()];
  const lastRead = reached.findLastIndex((accountId) => byAccount.has(accountId));
  return new Map(
    reached.slice(0, isCut ? lastRead + 1 : reached.length).map((accountId, number) => {
      const own = byAccount.get(accountId) ?? nothing();
      return [accountId, { ...own, isMore: isCut && number === lastRead }];
    }),
  );
}

function nothing(): ReadEvents {
  return { events: [], newer: [], unreadable: [], read: 0, end: undefined };
}
