/**
 * Handles messages of several partitions in one transaction. The handlers get the events as the ledger has them. What they write and the
 * group's offsets change together. A message that was handled before is skipped, and so is one whose event is not in the ledger.
 *
 * What a transaction costs is shared by all of its events, and the partitions of a topic have few each. A lot with a gap before it is
 * left out, and holds up no other. Whatever else fails makes all of it fail, and nothing is changed.
 */
import { isDeepStrictEqual } from 'node:util';
import { parseEventOrNewer, type RecordedEvent } from '@strongroom/contracts';
import type { Ledger, TailRow } from '@strongroom/ledger';
import type { Logger } from '@strongroom/runtime';
import type { DataSource, EntityManager } from 'typeorm';
import { FeedContext } from './feed-context.js';
import type { FeedMessage, Place, ReadMessage } from './feed-message.js';
import type { Altered, FeedMetrics } from './feed-metrics.js';
import {
  after,
  type Handled,
  isRepetition,
  type Moved,
  type Offsets,
  type PartitionKey,
  passedOver,
} from './feed-offsets.js';
import { claimUnhandled } from './handled-events.js';
import type { Handlers } from './handlers.js';
import { ledgerHeader } from './kafka/cloud-event.js';
import { OffsetGap } from './offset-gap.js';

export interface LotParts {
  dataSource: DataSource;
  ledger: Ledger;
  log: Logger;
  handlers: Handlers;
  metrics: Pick<FeedMetrics, 'handled' | 'unrecorded' | 'newer' | 'altered'>;
  offsets: Offsets;
  /** Whether a message of the event belongs where it lies. Default: it does. */
  belongs?(event: TailRow, key: PartitionKey, handled: Handled): boolean;
  /** Told the name of the ledger that messages came from which the ledger does not have. */
  lostOf?(ledger: string): Promise<void>;
}

/** Messages of one partition, in their order. */
export interface Lot {
  key: PartitionKey;
  messages: readonly ReadMessage[];
  /** The offset after which the messages come; undefined when something was there and is gone. */
  follows: bigint | undefined;
}

/** A message came without its value, and tells an event that the ledger does not have. Another try finds the same. */
export class NotInLedger extends Error {
  override readonly name = 'NotInLedger';

  constructor({ id, position }: Place) {
    super(
      `the message has no value that was read, and the ledger has no event ${id.slice(0, 64)} at position ${position}`,
    );
  }
}

/**
 * Handles the lots, which are of different partitions.
 * @returns for each lot the gap before it, of which nothing is handled; undefined where all is handled
 */
export async function handleLots(parts: LotParts, lots: readonly Lot[]): Promise<(OffsetGap | undefined)[]> {
  const { dataSource, offsets } = parts;
  const gaps: (OffsetGap | undefined)[] = lots.map(() => undefined);
  const done: { lot: Lot; done: Done }[] = [];
  await dataSource.transaction(async (manager) => {
    const locked = await offsets.lock(
      manager,
      lots.map(({ key }) => key),
    );
    const open = lots.flatMap((lot, number) => {
      const before = locked[number] as Handled;
      gaps[number] = gapBefore(lot.follows, before);
      return gaps[number] ? [] : [{ lot, before }];
    });
    const all = open.flatMap(({ lot, before }) =>
      lot.messages.filter(isNews).filter((each) => !isRepetition(each, before)),
    );
    const rows = await recordedOf(parts.ledger, manager, all);
    const events = await claimed(parts, manager, { lots: open, rows });
    const moved: Moved[] = [];
    for (const { lot, before } of open) {
      const told: Done = { news: [], newerTypes: [], unrecorded: [], altered: [] };
      const handled = await handleInOrder(parts, manager, { lot, before, rows, events, done: told });
      if (handled.offset !== before.offset || handled.position !== before.position)
        moved.push({ key: lot.key, handled });
      done.push({ lot, done: told });
    }
    if (moved.length > 0) await offsets.move(manager, moved);
  });
  for (const each of done) await tell(parts, each.lot.key, each.done);
  return gaps;
}

/** The events of the messages, by message, as the ledger has them at their positions. */
export async function recordedOf(
  ledger: Ledger,
  manager: EntityManager,
  messages: readonly NewsMessage[],
): Promise<Map<ReadMessage, TailRow>> {
  if (messages.length === 0) return new Map();
  const found = await ledger.eventsAt(
    messages.map(({ place }) => place.position),
    manager,
  );
  const rows = new Map(found.map((row) => [row.position, row]));
  return new Map(
    messages.flatMap((each) => {
      const row = rows.get(each.place.position);
      return row && row.id === each.place.id ? [[each, row] as const] : [];
    }),
  );
}

export function gapBefore(follows: bigint | undefined, { offset }: Handled): OffsetGap | undefined {
  return follows !== undefined && offset < follows ? new OffsetGap(offset, follows) : undefined;
}

/**
 * Claims the events for this transaction, and runs the handlers that take events together.
 * @returns all events, and the positions of those that are claimed: their own handlers are still to run
 */
async function claimed(
  { handlers }: LotParts,
  manager: EntityManager,
  { lots, rows }: { lots: readonly { lot: Lot }[]; rows: ReadonlyMap<ReadMessage, TailRow> },
): Promise<Events> {
  const [first] = lots;
  if (!first) return { read: new Map(), toHandle: new Set() };
  const { group, topic, partition } = first.lot.key;
  const { types } = handlers;
  // An event that nobody here handles is not claimed: a version that handles it finds it, and no row tells of it for long.
  const own = [...rows.values()].filter(({ type }) => types.has(type)).map(({ position }) => position);
  const toHandle = await claimUnhandled(manager, group, own);
  const read = new Map([...rows.values()].map((row) => [row.position, parseEventOrNewer(row.event)]));
  const places = [...toHandle].sort((one, other) => one - other);
  const news = places.flatMap((position) => {
    const event = read.get(position);
    return event && !('newerType' in event) ? [event] : [];
  });
  const last = places.at(-1);
  if (last !== undefined) await handlers.handleTogether(news, new FeedContext(manager, topic, partition, last));
  return { read, toHandle };
}

/** @returns how far the group is after the messages of a lot */
async function handleInOrder(parts: LotParts, manager: EntityManager, of: OfLot): Promise<Handled> {
  let handled = of.before;
  for (const each of of.lot.messages) {
    if (isRepetition(each, handled)) handled = passedOver(each.message, handled);
    else if (!each.place) throw each.problem;
    else handled = await handleOne(parts, manager, { ...of, message: each, handled });
  }
  return handled;
}

/** @returns how far the group is after the message */
async function handleOne(
  { handlers, belongs }: LotParts,
  manager: EntityManager,
  { message: read, lot, rows, events, handled, done }: OfLot & { message: NewsMessage; handled: Handled },
): Promise<Handled> {
  const { message, told, place } = read;
  const { topic, partition } = lot.key;
  const row = rows.get(read);
  const event = row && events.read.get(row.position);
  if (!row || !event) {
    // A message that a relay has sent without its value is never of a stranger's ledger: somebody has to look into it.
    if (told === undefined) throw new NotInLedger(place);
    done.unrecorded.push({ message, place });
    return passedOver(message, handled);
  }
  if ('newerType' in event) done.newerTypes.push(event.newerType);
  // One event may have several messages.
  else if (events.toHandle.delete(row.position)) {
    await handlers.handle(event, new FeedContext(manager, topic, partition, row.position));
    done.news.push(event);
  }
  // A message that is read again was counted before.
  const tellOf = (what: Altered) => message.offset > handled.offset && done.altered.push({ message, row, what });
  if (told !== undefined && !isDeepStrictEqual(told, row.event)) tellOf('content');
  if (belongs?.(row, lot.key, handled) ?? true) return after({ message, place }, handled);
  // Where a stranger has put the news of an event, it may hide no event that comes there in its turn.
  tellOf('place');
  return passedOver(message, handled);
}

async function tell(
  { log, metrics, lostOf }: LotParts,
  { topic, partition }: PartitionKey,
  { news, newerTypes, unrecorded, altered }: Done,
): Promise<void> {
  metrics.handled(topic, news);
  for (const _ of newerTypes) metrics.newer(topic);
  if (newerTypes.length > 0) {
    const types = [...new Set(newerTypes)];
    log.info({ topic, types }, 'events passed over: only a newer version knows their type or a value in them');
  }
  for (const { message, row, what } of altered) {
    metrics.altered(topic, what);
    const offset = message.offset.toString();
    log.warn({ topic, partition, offset, position: row.position, eventId: row.id, what }, alteredWords[what]);
  }
  const ledgers = new Set<string>();
  for (const { message, place } of unrecorded) {
    metrics.unrecorded(topic);
    const offset = message.offset.toString();
    const eventId = place.id.slice(0, 64);
    log.warn({ topic, partition, offset, position: place.position, eventId }, 'message passed over: not in the ledger');
    const ledger = message.headers[ledgerHeader];
    if (ledger !== undefined) ledgers.add(ledger);
  }
  for (const ledger of ledgers) await lostOf?.(ledger);
}

export function isNews(message: ReadMessage): message is NewsMessage {
  return message.place !== undefined;
}

export type NewsMessage = Extract<ReadMessage, { place: Place }>;

interface Events {
  /** By position. */
  read: ReadonlyMap<number, ReturnType<typeof parseEventOrNewer>>;
  /** The positions of the events whose own handlers are still to run. */
  toHandle: Set<number>;
}

interface OfLot {
  lot: Lot;
  before: Handled;
  rows: ReadonlyMap<ReadMessage, TailRow>;
  events: Events;
  done: Done;
}

/** What a transaction has done with a lot, which is told when it has committed. */
interface Done {
  news: RecordedEvent[];
  newerTypes: string[];
  unrecorded: { message: FeedMessage; place: Place }[];
  altered: { message: FeedMessage; row: TailRow; what: Altered }[];
}

const alteredWords: Record<Altered, string> = {
  content:
    'a message tells another event than the ledger has: somebody else writes to the broker. The event of the ledger was handled',
  place:
    'a message lies where its event does not belong: somebody else writes to the broker. The event was handled, and hides no other',
};
