/**
 * Verifies the links of the ledger: every event is linked to the one before it, so that none can be changed, removed or put in between
 * without a trace. The links are computed again here, from what the rows hold, and compared with those that were recorded.
 *
 * Whoever owns the database can compute all links anew from any event on. So the link of an event, its head at the time, is kept elsewhere,
 * and compared later.
 */
import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { DataSource } from 'typeorm';
import { z } from 'zod';

const digestInHex = z.string().regex(/^[0-9a-f]{64}$/);

/** The end of the ledger at one time, to be compared with later. */
export const ledgerHead = z.strictObject({
  /** The position of the last event. */
  position: z.int().nonnegative(),
  /** How many events there were. */
  events: z.int().nonnegative(),
  /** Its link, in hexadecimal. Where no links were recorded yet, that of the events without recorded links. */
  link: digestInHex,
  /** Where the recorded links begin behind events of an older version: the link that was computed for the last of those. */
  older: digestInHex.optional(),
});
export type LedgerHead = z.infer<typeof ledgerHead>;

/** The first event at which something is wrong. Everything before it is as it was recorded. */
export interface BrokenLink {
  position: number;
  why: 'not-linked' | 'changed' | 'not-as-before' | 'ends-earlier';
  /** A sentence for people. */
  reason: string;
}

export interface LinksVerdict {
  /** The end of what was verified. */
  head: LedgerHead;
  /** How many events older versions have recorded without a link. They are compared with earlier heads alone. */
  unlinked: number;
  broken: BrokenLink | undefined;
}

export interface LinksOptions {
  /** Heads that were told earlier. Each must still be as it was. */
  heads?: readonly LedgerHead[];
  /** Verifies only what came after the newest of the heads, which is compared. Default: every event. */
  onlyNew?: boolean;
  /** Told after each page up to which position the ledger is verified. */
  progress?: (position: number) => void;
}

/**
 * The event as `ledger_append` digests it: no function of the database is asked, since its owner could change one. A time that
 * `ledger_append` never gives, such as one of another era or between two milliseconds, would have the text of one that it gives.
 */
const eventText = `jsonb_build_array(position, id, stream, version, aggregate, type, account_id, instance_id,
  case when at >= '0001-01-01T00:00:00Z' and at = date_trunc('milliseconds', at)
    then to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') else at::text end, data, context)::text`;
/** Events of one position come together: nothing keeps the owner of the table from adding one. */
const pageSize = 2_000;
const beforeAll = '-9223372036854775808';
const start = Buffer.alloc(32);

const rows = z.array(
  z.object({ position: z.coerce.number(), link: z.instanceof(Buffer).nullable(), text: z.string().nullable() }),
);

/** Reads the ledger once, page by page. Events that are appended meanwhile are verified too. */
export async function verifyLinks(
  dataSource: Pick<DataSource, 'query'>,
  { heads = [], onlyNew = false, progress = () => {} }: LinksOptions = {},
): Promise<LinksVerdict> {
  const awaited = [...heads].sort((one, other) => one.position - other.position);
  let compared = 0;
  const links = new Links();
  const ended = (broken?: BrokenLink): LinksVerdict => ({ head: links.head, unlinked: links.unlinked, broken });
  const newest = awaited.at(-1);
  if (onlyNew && newest && newest.position > 0) {
    const found: unknown = await dataSource.query(
      'select position, link, null as text from ledger_event where position = $1',
      [newest.position],
    );
    const [row, ...others] = rows.parse(found);
    if (!row) return ended(notAsBefore(newest, 'its event is gone'));
    if (others.length > 0) return ended(notAsBefore(newest, 'another event has its position, too'));
    // An event without a link proves nothing of those before it: all of them are verified then.
    if (row.link !== null) {
      if (row.link.toString('hex') !== newest.link) return ended(notAsBefore(newest, 'it is another one now'));
      links.goOnFrom(newest);
      compared = awaited.length;
    }
  }
  for (let after: number | string = links.position || beforeAll; ; after = links.position) {
    const found: unknown = await dataSource.query(
      `select position, link, ${eventText} as text from ledger_event where position > $1
       order by position fetch first ${pageSize} rows with ties`,
      [after],
    );
    const page = rows.parse(found);
    for (const row of page) {
      const lost = awaited[compared];
      if (lost && lost.position < row.position && lost.position > links.position) {
        return ended(notAsBefore(lost, 'its event is gone'));
      }
      const broken = links.follow(row);
      if (broken) return ended(broken);
      for (let head = awaited[compared]; head && head.position <= row.position; head = awaited[++compared]) {
        if (head.position === row.position && !isDeepStrictEqual(head, links.head)) {
          return ended(notAsBefore(head, 'it is another one now'));
        }
      }
    }
    progress(links.position);
    if (page.length < pageSize) break;
  }
  const beyond = awaited[compared];
  return ended(beyond && beyond.position > links.position ? endsEarlier(beyond, links.head) : undefined);
}

class Links {
  private last = start;
  private events = 0;
  private hasBegun = false;
  /** The computed link of the last event that has none, once the recorded links have begun. */
  private older: Buffer | undefined;
  position = 0;
  unlinked = 0;

  get head(): LedgerHead {
    const { position, events, older } = this;
    return { position, events, link: this.last.toString('hex'), ...(older && { older: older.toString('hex') }) };
  }

  /** Everything up to the head is taken as it was verified then. */
  goOnFrom({ position, events, link, older }: LedgerHead): void {
    this.position = position;
    this.events = events;
    this.last = Buffer.from(link, 'hex');
    this.older = older === undefined ? undefined : Buffer.from(older, 'hex');
    this.hasBegun = true;
  }

  /** @returns what is wrong with the event; the head stays before it then */
  follow({ position, link, text }: z.infer<typeof rows>[number]): BrokenLink | undefined {
    // The first position that is given is 1, and each is given once.
    if (position <= this.position) {
      const reason = `An event at position ${position} was put in: ledger_append gives no such position after ${this.position}.`;
      return { position, why: 'changed', reason };
    }
    if (link === null && this.hasBegun) {
      return {
        position,
        why: 'not-linked',
        reason: `The event at position ${position} has no link: it was not recorded by ledger_append.`,
      };
    }
    // The recorded links begin anew behind the events of older versions.
    const isFirst = link !== null && !this.hasBegun;
    const digest = createHash('sha256')
      .update(text ?? '')
      .digest();
    const own = createHash('sha256')
      .update(isFirst ? start : this.last)
      .update(digest)
      .digest();
    if (link !== null && !link.equals(own)) {
      const reason = `The event at position ${position} is not what was recorded, or an event before it was removed or put in.`;
      return { position, why: 'changed', reason };
    }
    if (isFirst && this.unlinked > 0) this.older = this.last;
    if (link === null) this.unlinked += 1;
    else this.hasBegun = true;
    this.last = own;
    this.position = position;
    this.events += 1;
    return undefined;
  }
}

function notAsBefore({ position }: LedgerHead, how: string): BrokenLink {
  const reason = `The ledger was another one when its head at position ${position} was exported: ${how}. It was changed up to there, or was restored to an earlier time.`;
  return { position, why: 'not-as-before', reason };
}

function endsEarlier({ position }: LedgerHead, head: LedgerHead): BrokenLink {
  const reason = `The ledger ends at position ${head.position}, and it ended at ${position} when its head was exported: its end was removed, or it was restored to an earlier time.`;
  return { position: head.position, why: 'ends-earlier', reason };
}
