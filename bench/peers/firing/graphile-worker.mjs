/** graphile-worker: 200 jobs at a time from a local queue of 1,000; the next occurrences are added in batches. */
import { Logger, makeWorkerUtils, run } from 'graphile-worker';
import pg from 'pg';
import { inBatches, serve } from './peer.mjs';

const settings = {
  concurrentJobs: 200,
  localQueue: { size: 1_000 },
  completeJobBatchDelay: 0,
  failJobBatchDelay: 0,
};

await serve(async ({ url }) => {
  const pgPool = new pg.Pool({ connectionString: url, max: 20 });
  pgPool.on('error', () => {});
  pgPool.on('connect', (client) => client.on('error', () => {}));
  const logger = new Logger(() => () => {});
  const utils = await makeWorkerUtils({ pgPool, logger });
  await utils.migrate();
  const query = async (text, values) => (await pgPool.query(text, values)).rows;
  const isIdle = async (slotAt) =>
    (await query('select 1 from graphile_worker.jobs where run_at <= $1 limit 1', [slotAt])).length === 0;
  const slotAt = new Date(Math.floor(Date.now() / 60_000) * 60_000);
  const nextAt = new Date(slotAt.getTime() + 86_400_000);
  const add = (from, count, runAt) =>
    query(
      `select count(*) from graphile_worker.add_jobs(array(
         select ('fire', json_build_object('schedule', n), null, $3::timestamptz, null, null, null, null)::graphile_worker.job_spec
         from generate_series($1::int, $2::int) n))`,
      [from, from + count - 1, runAt],
    );
  return {
    async reset({ due, idle }) {
      const [{ n }] = await query(`select count(*)::int as n from graphile_worker.jobs where run_at > $1`, [nextAt]);
      for (let from = n; from < idle; from += 50_000)
        await add(1_000_000 + from, Math.min(50_000, idle - from), new Date(slotAt.getTime() + 9 * 86_400_000));
      await query('delete from graphile_worker._private_jobs where run_at <= $1', [nextAt]);
      for (let from = 0; from < due; from += 50_000) await add(from, Math.min(50_000, due - from), slotAt);
      await query('vacuum analyze graphile_worker._private_jobs');
      await query('checkpoint');
    },
    async go({ due }) {
      const started = new Set();
      let [starts, begunAt] = [0, undefined];
      const arm = inBatches((schedules) =>
        query(
          `select count(*) from graphile_worker.add_jobs(array(
             select ('fire', json_build_object('schedule', n), null, $2::timestamptz, null, null, null, null)::graphile_worker.job_spec
             from unnest($1::int[]) n))`,
          [schedules, nextAt],
        ),
      );
      const fire = async ({ schedule }) => {
        starts += 1;
        started.add(schedule);
        await arm(schedule);
      };
      const runner = await run({
        pgPool,
        logger,
        taskList: { fire },
        noHandleSignals: true,
        preset: { worker: { ...settings, pollInterval: 1_000 } },
      });
      runner.events.once('worker:getJob:start', () => {
        begunAt = performance.now();
      });
      begunAt ??= performance.now();
      while (starts < due || !(await isIdle(slotAt))) await new Promise((resolve) => setTimeout(resolve, 2));
      const ms = performance.now() - begunAt;
      await runner.stop();
      const [{ armed }] = await query('select count(*)::int as armed from graphile_worker.jobs where run_at = $1', [
        nextAt,
      ]);
      return { ms, starts, distinct: started.size, armed };
    },
    async close() {
      await utils.release();
      await pgPool.end();
    },
  };
});
