/** The events that a group has not handled, no matter what its offsets say: they are on their way, lost, or set aside. */
import { parseEvent, type RecordedEvent } from '@strongroom/contracts';
import type { Ledger } from '@strongroom/ledger';
import type { DataSource } from 'typeorm';
import { z } from 'zod';
import { unhandledOf } from './handled-events.js';
import { secondLookAt } from './second-look-cursor.js';

/** How many events are looked at, at most. */
const mostPlaces = 20_000;
const letters = z.array(z.object({ position: z.coerce.number() }));

/** @returns the events in order, without those that can't be read */
export async function unhandledEvents(
  { dataSource, ledger }: { dataSource: DataSource; ledger: Ledger },
  group: string,
  type: string,
): Promise<RecordedEvent[]> {
  const after = await secondLookAt(dataSource, group);
  const places = (await ledger.positionsBetween(after, Number.MAX_SAFE_INTEGER, mostPlaces)).filter(
    (place) => place.type === type,
  );
  const unhandled = await unhandledOf(
    dataSource,
    group,
    places.map(({ position }) => position),
  );
  const found: unknown = await dataSource.query(
    `select distinct position from dead_letter
     where consumer_group = $1 and replayed_at is null and position is not null limit ${mostPlaces}`,
    [group],
  );
  const setAside = letters.parse(found).map(({ position }) => position);
  const rows = await ledger.eventsAt([...new Set([...unhandled, ...setAside])]);
  return rows.filter((row) => row.type === type).flatMap(({ event }) => readable(event));
}

function readable(event: unknown): RecordedEvent[] {
  try {
    return [parseEvent(event)];
  } catch (error) {
    if (error instanceof z.ZodError) return [];
    throw error;
  }
}
