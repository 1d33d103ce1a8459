/**
 * Counts what `GET /explain/{id}` reads of ledgers of several sizes: rows of the table of events, and blocks of it and of its indexes. The counts
 * do not depend on the machine, so they need not be alone on it.
 *
 *     npm run build && node bench/explained-reads.mjs [--events 50000 --events 500000]
 */
import { parseArgs } from 'node:util';
import { asksOf, statementsOf } from './explained-asks.mjs';
import { ExplainedLedger } from './explained-ledger.mjs';
import { scratchPostgres, withClient } from './scratch.mjs';
import { accountId } from './services.mjs';
import { Workplace } from './stack.mjs';

const { values: asked } = parseArgs({ options: { events: { type: 'string', multiple: true } } });
const sizes = (asked.events ?? ['50000', '500000']).map(Number);
/** So many answers of each kind. */
const most = 25;
const say = (text) => process.stdout.write(`${text}\n`);

const soFar = `select (coalesce(t.seq_tup_read, 0) + coalesce(t.idx_tup_fetch, 0))::int as rows, (
    select sum(pg_stat_get_xact_blocks_fetched(c.oid))::int from pg_class c
    where c.oid = t.relid or c.oid in (select i.indexrelid from pg_index i where i.indrelid = t.relid)
  ) as blocks from pg_stat_xact_user_tables t where t.relname = 'ledger_event'`;

/** @returns what the statements of one answer read, and how many statements there are */
async function readsOf(client, ask) {
  await client.query('begin');
  const before = (await client.query(soFar)).rows[0];
  const statements = await statementsOf(client, ask);
  const { rows, blocks } = (await client.query(soFar)).rows[0];
  await client.query('commit');
  return { statements: statements.length, rows: rows - before.rows, blocks: blocks - before.blocks };
}

async function countedOf(events) {
  const place = new Workplace();
  try {
    const url = await scratchPostgres(place, { max_wal_size: '4GB' });
    return await withClient(url, async (client) => {
      const ledger = new ExplainedLedger(accountId, events);
      await client.query('set synchronous_commit = off');
      await ledger.write(client, () => {});
      await client.query('vacuum analyze ledger_event');
      const found = [];
      for (const [kind, asks] of Object.entries(await asksOf(ledger, client))) {
        // The plans of the session are made with the first answer.
        await statementsOf(client, asks[0]);
        const each = [];
        for (const ask of asks.slice(0, most)) each.push(await readsOf(client, ask));
        const atMost = (name) => Math.max(...each.map((reads) => reads[name]));
        found.push({ kind, statements: atMost('statements'), rows: atMost('rows'), blocks: atMost('blocks') });
      }
      return found;
    });
  } finally {
    await place.clear();
  }
}

for (const events of sizes) {
  say(`A ledger of ${events} events. The most that an answer of each kind reads:`);
  for (const { kind, statements, rows, blocks } of await countedOf(events)) {
    say(`  ${kind}: ${statements} statements, ${rows} rows, ${blocks} blocks`);
  }
}
