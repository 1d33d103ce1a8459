/** Where a group's second look is: up to there every event has been handled, or set aside. */
import type { DataSource } from 'typeorm';
import { handledOf, type PartitionKey } from './feed-offsets.js';
import { recordedSince } from './handled-events.js';

/** It keeps its place as a feed of its own does. */
export function secondLookKey(group: string): PartitionKey {
  return { group, source: 'second look', topic: 'ledger', partition: 0 };
}

export async function secondLookAt(dataSource: DataSource, group: string): Promise<number> {
  const key = secondLookKey(group);
  const found = (await handledOf(dataSource.manager, key)).get(key.partition);
  return found && found.position > 0 ? found.position : recordedSince(dataSource);
}
