/** The audit of an account, as a live stream tells it. */
import type { AuditTrail, LedgerPlace } from '@strongroom/ledger';
import { uuidOf } from '../edge/parse.js';
import { fromTheStart } from '../edge/streams/live-stream.js';
import type { StreamSource } from '../edge/streams/stream-source.js';
import { Words } from '../edge/streams/words.js';
import { auditOf } from './resource.js';

export const beforeAll: LedgerPlace = { position: 0, seq: 0 };

const words = new Words((item) => {
  const [data] = auditOf(item);
  return data && { id: data.id, type: data.type, data };
});

export function auditSource(trail: AuditTrail, accountId: string): StreamSource {
  return {
    right: 'audit.read',
    words,
    async newest() {
      return (await trail.newestOf(accountId)) ?? { ...beforeAll, id: fromTheStart };
    },
    async placeOf(id) {
      return uuidOf(id) === undefined ? undefined : trail.placeOf(accountId, id);
    },
    next: (after, limit) => trail.follow(accountId, after, limit),
  };
}
