/** BullMQ: job schedulers, 200 jobs at a time. It has no idle schedules beside those that are due, which is to its advantage. */
import { Queue, Worker } from 'bullmq';
import { serve } from './peer.mjs';

const every = 86_400_000;

await serve(async ({ redis }) => {
  const connection = { host: '127.0.0.1', port: redis, maxRetriesPerRequest: null };
  const queue = new Queue('fire', { connection });
  return {
    async reset({ due }) {
      await queue.obliterate({ force: true });
      for (let from = 0; from < due; from += 1_000)
        await Promise.all(
          Array.from({ length: Math.min(1_000, due - from) }, (_, n) =>
            queue.upsertJobScheduler(
              `schedule-${from + n}`,
              { every },
              { name: 'fire', data: { schedule: from + n }, opts: { removeOnComplete: true } },
            ),
          ),
        );
    },
    async go({ due }) {
      const started = new Set();
      let starts = 0;
      let worker;
      const begunAt = performance.now();
      await new Promise((resolve, reject) => {
        let completed = 0;
        worker = new Worker(
          'fire',
          async ({ data }) => {
            starts += 1;
            started.add(data.schedule);
          },
          { connection, concurrency: 200 },
        );
        worker.on('completed', () => {
          completed += 1;
          if (completed === due) resolve();
        });
        worker.on('error', reject);
      });
      const ms = performance.now() - begunAt;
      await worker.close();
      return { ms, starts, distinct: started.size, armed: await queue.getDelayedCount() };
    },
    async close() {
      await queue.close();
    },
  };
});
