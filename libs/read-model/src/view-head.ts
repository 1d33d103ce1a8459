/** The rows of `view_head`, which tell how far the views of each account are. Whoever folds an account holds the lock of its row. */
import type { ReadEvents } from '@strongroom/ledger';
import { preparedWithin } from '@strongroom/runtime';
import type { EntityManager } from 'typeorm';
import { z } from 'zod';

/** How far the views of an account are, and what they lack. */
export interface Head {
  position: number;
  passedOver: string[];
  /** Up to here nothing is missing that some version has passed over. */
  wholeUntil: number;
}

type Database = Pick<EntityManager, 'query'>;

const rows = z.array(
  z.object({
    accountId: z.string(),
    position: z.coerce.number(),
    passedOver: z.array(z.string()),
    wholeUntil: z.coerce.number(),
  }),
);

/** The head of an account of which nothing is folded, and no row is left. */
export const firstHead: Head = { position: 0, passedOver: [], wholeUntil: 0 };

/** Makes the heads that are not there yet. It holds no lock for longer than the statement. */
export async function makeHeads(database: Database, accountIds: readonly string[]): Promise<void> {
  await database.query(
    'insert into view_head (account_id) select asked.id from unnest($1::text[]) as asked(id) order by 1 on conflict do nothing',
    [accountIds],
  );
}

/**
 * What counts until the end of a transaction that folds. Its commit is not waited for until it is on the disk: a crash that loses it loses
 * the rows and the head together, and both are folded again. Without statistics the planner would take a view for an empty table, and read
 * all of it to find a few rows; and a statement that it has prepared then would do so for ever.
 */
const settings = { synchronous_commit: 'off', enable_seqscan: 'off', enable_hashjoin: 'off', enable_mergejoin: 'off' };
const toLock = `select account_id as "accountId", position, passed_over as "passedOver", whole_until as "wholeUntil",
    (select ${Object.entries(settings)
      .map(([name, value]) => `set_config('${name}', '${value}', true)`)
      .join(' || ')}) as settings
  from view_head where account_id = any($1::text[]) order by account_id for update`;

/**
 * Takes the locks until the end of the transaction. Everybody takes them in the same order, so that nobody waits in a circle.
 * @returns the heads that are there
 */
export async function lockHeads(manager: EntityManager, accountIds: readonly string[]): Promise<Map<string, Head>> {
  const found: unknown = await preparedWithin(manager, toLock, [accountIds]);
  return new Map(rows.parse(found).map(({ accountId, ...head }) => [accountId, believed(head)]));
}

function believed(head: Head): Head {
  if (head.position >= head.wholeUntil || isToBegin(head)) return head;
  // Somebody has set the position back, to have what comes then folded anew.
  return { ...head, wholeUntil: head.position };
}

const toKeep = `update view_head h set position = kept.position, whole_until = kept.whole_until,
    passed_over = case kept.passed_over when '[]' then '{}' else array(select json_array_elements_text(kept.passed_over::json)) end
  from unnest($1::text[], $2::bigint[], $3::bigint[], $4::text[]) as kept(account_id, position, whole_until, passed_over)
  where h.account_id = kept.account_id`;

export async function keepHeads(manager: EntityManager, heads: ReadonlyMap<string, Head>): Promise<void> {
  if (heads.size === 0) return;
  const kept = [...heads.values()];
  await preparedWithin(manager, toKeep, [
    [...heads.keys()],
    kept.map(({ position }) => position),
    kept.map(({ wholeUntil }) => wholeUntil),
    kept.map(({ passedOver }) => JSON.stringify(passedOver)),
  ]);
}

/** Whether the account is to be folded anew: somebody has set its position back to 0. That stays until all of its rows are gone. */
export function isToBegin({ position, wholeUntil }: Head): boolean {
  return position === 0 && wholeUntil > 0;
}

/** The head of an account that is to be folded anew. */
export function headToBegin({ wholeUntil }: Head): Head {
  return { position: 0, passedOver: [], wholeUntil: Math.max(1, wholeUntil) };
}

/** The head after the next events of the account. */
export function headAfter(head: Head, { newer, end }: ReadEvents): Head {
  const position = end ?? head.position;
  const passedOver = [...new Set([...head.passedOver, ...newer.map(({ newerType }) => newerType)])];
  return { position, passedOver, wholeUntil: wholeAfter(head, newer, position) };
}

export function isSameHead(one: Head, other: Head): boolean {
  return (
    one.position === other.position &&
    one.wholeUntil === other.wholeUntil &&
    one.passedOver.length === other.passedOver.length
  );
}

/** What was passed over first ends what is whole, until a version that knows it has folded it. */
function wholeAfter({ passedOver, wholeUntil }: Head, [first]: ReadEvents['newer'], position: number): number {
  if (passedOver.length > 0) return wholeUntil;
  return first ? first.position - 1 : position;
}
