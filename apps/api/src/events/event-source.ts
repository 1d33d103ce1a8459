/** The events of an account, or of some of its instances, as a live stream tells them. */
import type { Ledger } from '@strongroom/ledger';
import type { Reach } from '../edge/caller.js';
import { uuidOf } from '../edge/parse.js';
import { fromTheStart } from '../edge/streams/live-stream.js';
import type { StreamSource } from '../edge/streams/stream-source.js';
import { eventResource } from './resource.js';

export function eventsOf(ledger: Ledger, { accountId, instances }: Reach): StreamSource<number> {
  return {
    right: 'event.read',
    first: 0,
    async newest() {
      const place = await ledger.newestOf(accountId);
      if (place === 0) return { place, id: fromTheStart };
      const [event] = await ledger.followAccount(accountId, place - 1, 1);
      return { place, id: event?.position === place ? event.id : fromTheStart };
    },
    async placeOf(id) {
      return uuidOf(id) === undefined ? undefined : ledger.positionOf(accountId, id);
    },
    async next(after, limit) {
      // What is of other instances, or is not read by this version, is looked at once. It is read first: more may come meanwhile.
      const newest = instances === undefined ? after : await ledger.newestOf(accountId);
      const events = await ledger.followAccount(
        accountId,
        after,
        limit,
        ...(instances === undefined ? [] : [instances]),
      );
      const items = events.map((event) => ({
        id: event.id,
        place: event.position,
        type: event.type,
        data: eventResource(event),
      }));
      return { items, place: Math.max(after, newest), isMore: events.length === limit };
    },
  };
}
