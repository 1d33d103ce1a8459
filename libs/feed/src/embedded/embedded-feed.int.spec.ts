import { feedContract } from '../feed.contract.js';
import { EmbeddedFeed } from './embedded-feed.js';

feedContract('embedded', {
  open: (parts) => new EmbeddedFeed(parts),
  // The ledger has each event once; what can come again is the reader's place.
  bringAgain: () => Promise.resolve(),
  async bringJunk({ dataSource, ids }) {
    await dataSource.query(
      `insert into ledger_event (id, stream, version, aggregate, type, account_id, instance_id, at, data, context)
       values ($1::text::uuid, 'schedule-' || $1::text, 1, 'schedule', 'Unheard', 'acme', $1::text::uuid, now(), '{}', '{}')`,
      [ids.next()],
    );
  },
});
