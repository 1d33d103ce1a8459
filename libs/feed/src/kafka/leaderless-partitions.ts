/**
 * Lets a partition without a leader stop nothing but itself. kafkajs 2.2.4 refuses all that a broker tells of its topics as soon
 * as one of their partitions has no leader: nothing could be sent or fetched until it has one again. Here such a partition is
 * left out of what is asked for.
 */
import Cluster from 'kafkajs/src/cluster/index.js';
import v0 from 'kafkajs/src/protocol/requests/metadata/v0/response.js';
import v1 from 'kafkajs/src/protocol/requests/metadata/v1/response.js';
import v2 from 'kafkajs/src/protocol/requests/metadata/v2/response.js';
import v3 from 'kafkajs/src/protocol/requests/metadata/v3/response.js';
import v4 from 'kafkajs/src/protocol/requests/metadata/v4/response.js';
import v5 from 'kafkajs/src/protocol/requests/metadata/v5/response.js';
import v6 from 'kafkajs/src/protocol/requests/metadata/v6/response.js';

/** LEADER_NOT_AVAILABLE, REPLICA_NOT_AVAILABLE and LISTENER_NOT_FOUND, as Kafka numbers them. */
const passing = new Set([5, 9, 72]);

for (const response of [v0, v1, v2, v3, v4, v5, v6]) {
  const { parse } = response;
  response.parse = (data) => {
    for (const { partitionMetadata } of data.topicMetadata) {
      for (const partition of partitionMetadata) {
        if (passing.has(partition.partitionErrorCode)) partition.partitionErrorCode = 0;
      }
    }
    return parse(data);
  };
}

const leadersOf = Cluster.prototype.findLeaderForPartitions;

Cluster.prototype.findLeaderForPartitions = function withLeader(topic, partitions) {
  const { '-1': _, ...led } = leadersOf.call(this, topic, partitions);
  return led;
};
