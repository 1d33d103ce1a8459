/** The audit of an account, as a live stream tells it. */
import type { AuditPlace, AuditTrail } from '@strongroom/ledger';
import { uuidOf } from '../edge/parse.js';
import { fromTheStart } from '../edge/streams/live-stream.js';
import type { StreamSource } from '../edge/streams/stream-source.js';
import { auditOf } from './resource.js';

export const beforeAll: AuditPlace = { position: 0, seq: 0 };
/** Refusals are no events, so nothing tells of them. */
const pollMs = 2_000;

export function auditSource(trail: AuditTrail, accountId: string): StreamSource<AuditPlace> {
  return {
    right: 'audit.read',
    first: beforeAll,
    pollMs,
    async newest() {
      const newest = await trail.newestOf(accountId);
      if (!newest) return { place: beforeAll, id: fromTheStart };
      const { id, ...place } = newest;
      return { place, id };
    },
    async placeOf(id) {
      return uuidOf(id) === undefined ? undefined : trail.placeOf(accountId, id);
    },
    async next(after, limit) {
      const { items, end, isMore } = await trail.follow(accountId, after, limit);
      const told = items.flatMap((item) =>
        auditOf(item).map((data) => ({
          id: data.id,
          place: { position: item.position, seq: item.seq },
          type: data.type,
          data,
        })),
      );
      return { items: told, place: end, isMore };
    },
  };
}
