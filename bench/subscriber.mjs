/** A subscriber of Kafka that remembers when each event came, and whether all came in the order of their streams. */
import { randomUUID } from 'node:crypto';

/** @returns by event id when it came first, and all that came */
export async function subscribe(kafka, topic, place) {
  const consumer = kafka.consumer({ groupId: `bench-${randomUUID()}`, maxWaitTimeInMs: 100 });
  const arrivedAt = new Map();
  const arrived = [];
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  await consumer.run({
    eachBatch: async ({ batch }) => {
      const now = performance.now();
      for (const { headers } of batch.messages) {
        const id = String(headers.ce_id);
        if (!arrivedAt.has(id)) arrivedAt.set(id, now);
        arrived.push({
          id,
          partition: batch.partition,
          subject: String(headers.ce_subject),
          position: Number(headers['strongroom-position']),
        });
      }
    },
  });
  place.undo.push(() => consumer.disconnect());
  return { arrivedAt, arrived, end: () => consumer.disconnect() };
}

/** @param expected the ids of the events that must have come */
export function verdictOf(expected, arrived) {
  const seen = new Set();
  const newest = new Map();
  let inOrder = true;
  for (const { id, subject, position } of arrived) {
    if (seen.has(id)) continue;
    seen.add(id);
    if (position <= (newest.get(subject) ?? 0)) inOrder = false;
    newest.set(subject, position);
  }
  return { lost: [...expected].filter((id) => !seen.has(id)).length, inOrder, more: arrived.length - seen.size };
}
