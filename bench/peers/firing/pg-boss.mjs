/** pg-boss: two fetchers of 1,000 jobs each; the next occurrences are inserted, then the jobs are completed. */
import pg from 'pg';
import { PgBoss } from 'pg-boss';
import { serve } from './peer.mjs';

const queue = 'fire';
const atOnce = 1_000;
const fetchers = 2;

await serve(async ({ url }) => {
  const boss = new PgBoss({ connectionString: url, supervise: false, schedule: false, max: 20 });
  boss.on('error', (error) => process.stderr.write(`${error}\n`));
  await boss.start();
  await boss.createQueue(queue);
  const pool = new pg.Pool({ connectionString: url, max: 2 });
  const query = async (text, values) => (await pool.query(text, values)).rows;
  const slotAt = new Date(Math.floor(Date.now() / 60_000) * 60_000);
  const nextAt = new Date(slotAt.getTime() + 86_400_000);
  const add = async (from, count, startAfter) => {
    for (let at = from; at < from + count; at += 10_000) {
      const jobs = Array.from({ length: Math.min(10_000, from + count - at) }, (_, n) => ({
        data: { schedule: at + n },
        startAfter,
      }));
      await boss.insert(queue, jobs);
    }
  };
  return {
    async reset({ due, idle }) {
      const [{ n }] = await query(`select count(*)::int as n from pgboss.job where name = $1 and start_after > $2`, [
        queue,
        nextAt,
      ]);
      if (n < idle) await add(1_000_000 + n, idle - n, new Date(slotAt.getTime() + 9 * 86_400_000));
      await query('delete from pgboss.job where name = $1 and start_after <= $2', [queue, nextAt]);
      await add(0, due, slotAt);
      await query('vacuum analyze');
      await query('checkpoint');
    },
    async go() {
      const started = new Set();
      let starts = 0;
      const begunAt = performance.now();
      const fetcher = async () => {
        for (;;) {
          const jobs = await boss.fetch(queue, { batchSize: atOnce });
          if (jobs.length === 0) return;
          for (const { data } of jobs) started.add(data.schedule);
          starts += jobs.length;
          await boss.insert(
            queue,
            jobs.map(({ data }) => ({ data, startAfter: nextAt })),
          );
          await boss.complete(
            queue,
            jobs.map(({ id }) => id),
          );
        }
      };
      await Promise.all(Array.from({ length: fetchers }, fetcher));
      const ms = performance.now() - begunAt;
      const [{ armed }] = await query(
        'select count(*)::int as armed from pgboss.job where name = $1 and start_after = $2',
        [queue, nextAt],
      );
      return { ms, starts, distinct: started.size, armed };
    },
    async close() {
      await boss.stop({ graceful: false });
      await pool.end();
    },
  };
});
