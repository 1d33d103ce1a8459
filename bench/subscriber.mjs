/**
 * A subscriber of Kafka in a process of its own, so that the collection of what it remembers delays nobody. It is forked by relay.mjs, and
 * told `broker` and `topic`. It answers `count` with how many events have come, and `arrivals` of some ids with the instant of each, in
 * milliseconds by the clock of all processes, or null. `verdict` tells which of these ids have not come, whether the events of each stream came
 * in order, and how many came more than once.
 */
import { fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import kafkajs from 'kafkajs';

/** Of all processes of the machine, in milliseconds. */
export const instant = () => performance.timeOrigin + performance.now();

/** @returns what asks the subscriber, which ends with `place` */
export async function subscribe(broker, topic, place) {
  const child = fork(fileURLToPath(import.meta.url), ['subscriber']);
  place.undo.push(async () => child.kill());
  const ask = (given) =>
    new Promise((resolve, reject) => {
      child.once('message', ({ result, error }) => (error === undefined ? resolve(result) : reject(new Error(error))));
      child.send(given);
    });
  await ask({ asked: 'subscribe', broker, topic });
  return {
    pid: child.pid,
    count: () => ask({ asked: 'count' }),
    arrivals: (ids) => ask({ asked: 'arrivals', ids }),
    verdict: (ids) => ask({ asked: 'verdict', ids }),
  };
}

class Subscriber {
  arrivedAt = new Map();
  newest = new Map();
  inOrder = true;
  more = 0;

  async subscribe({ broker, topic }) {
    const kafka = new kafkajs.Kafka({ brokers: [broker], clientId: 'bench', logLevel: kafkajs.logLevel.ERROR });
    const consumer = kafka.consumer({ groupId: `bench-${randomUUID()}`, maxWaitTimeInMs: 100 });
    await consumer.connect();
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    await consumer.run({
      eachBatch: async ({ batch }) => {
        const now = instant();
        for (const { headers } of batch.messages) this.take(headers, now);
      },
    });
  }

  take(headers, now) {
    const id = String(headers.ce_id);
    if (this.arrivedAt.has(id)) {
      this.more += 1;
      return;
    }
    this.arrivedAt.set(id, now);
    const subject = String(headers.ce_subject);
    const position = Number(headers['strongroom-position']);
    if (position <= (this.newest.get(subject) ?? 0)) this.inOrder = false;
    this.newest.set(subject, position);
  }

  count() {
    return this.arrivedAt.size;
  }

  arrivals({ ids }) {
    return ids.map((id) => this.arrivedAt.get(id) ?? null);
  }

  verdict({ ids }) {
    return {
      lost: ids.filter((id) => !this.arrivedAt.has(id)).length,
      inOrder: this.inOrder,
      more: this.more,
    };
  }
}

if (process.argv[2] === 'subscriber' && process.send) {
  const subscriber = new Subscriber();
  process.on('message', async ({ asked, ...given }) => {
    try {
      process.send({ result: (await subscriber[asked](given)) ?? null });
    } catch (error) {
      process.send({ error: error.message });
    }
  });
}
