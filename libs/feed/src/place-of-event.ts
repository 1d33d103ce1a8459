/** Where the broker has the message of an event: in the topic of its aggregate, in the partition of its instance. */
import { aggregateOf, topicName } from '@strongroom/contracts';
import type { TailRow } from '@strongroom/ledger';

/**
 * @param spreadOver over how many partitions the keys of the topic are spread; null when nobody has told
 * @returns the topic, which is undefined for an event of no known aggregate, and the partition, where it is known
 */
export type PlaceOf = (
  event: Pick<TailRow, 'stream' | 'instanceId'>,
  spreadOver: number | null,
) => { topic: string | undefined; partition: number | undefined };

/** @param partitionOf the partition of a key when a topic has so many */
export function placesIn(namespace: string, partitionOf: (key: string, partitions: number) => number): PlaceOf {
  return ({ stream, instanceId }, spreadOver) => {
    const aggregate = aggregateOf(stream);
    return {
      topic: aggregate && topicName(aggregate, namespace),
      partition: spreadOver === null ? undefined : partitionOf(instanceId, spreadOver),
    };
  };
}
