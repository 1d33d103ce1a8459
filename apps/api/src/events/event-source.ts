/** The events of an account, or of some of its instances, as a live stream tells them. */
import type { EventPlace, Ledger } from '@strongroom/ledger';
import type { Reach } from '../edge/caller.js';
import { uuidOf } from '../edge/parse.js';
import { fromTheStart } from '../edge/streams/live-stream.js';
import type { StreamSource } from '../edge/streams/stream-source.js';
import { Words } from '../edge/streams/words.js';
import { eventResource } from './resource.js';

const words = new Words((item) => {
  if (!('event' in item)) return undefined;
  const { id, type } = item.event;
  return { id, type, data: eventResource(item.event) };
});

/** So much earlier than an instant the events since then begin: the clock of the database may have been set back. */
const setBackMs = 60_000;

/** The event after which everything follows that happened since an instant; undefined when that is all. */
export function placeSince(ledger: Ledger, accountId: string, since: Date): Promise<EventPlace | undefined> {
  return ledger.lastBefore(accountId, new Date(since.getTime() - setBackMs));
}

/** @param since where a stream begins that is not told after which event */
export function eventsOf(ledger: Ledger, { accountId, instances }: Reach, since?: Date): StreamSource {
  const at = (position: number) => ({ position, seq: 0 });
  return {
    right: 'event.read',
    words,
    ...(since && { begins: async () => (await placeSince(ledger, accountId, since))?.id ?? fromTheStart }),
    async newest() {
      const position = await ledger.newestOf(accountId);
      if (position === 0) return { ...at(0), id: fromTheStart };
      const [event] = await ledger.followAccount(accountId, position - 1, 1);
      return { ...at(position), id: event?.position === position ? event.id : fromTheStart };
    },
    async placeOf(id) {
      const position = uuidOf(id) === undefined ? undefined : await ledger.positionOf(accountId, id);
      return position === undefined ? undefined : at(position);
    },
    async next(after, limit) {
      // What is of other instances, or is not read by this version, is looked at once. It is read first: more may come meanwhile.
      const newest = instances === undefined ? 0 : await ledger.newestOf(accountId);
      const among = instances === undefined ? [] : [instances];
      const events = await ledger.followAccount(accountId, after.position, limit, ...among);
      const isMore = events.length === limit;
      const last = events.at(-1)?.position ?? after.position;
      const items = events.map((event) => ({ ...at(event.position), event }));
      return { items, end: at(isMore ? last : Math.max(last, newest)), isMore };
    },
  };
}
