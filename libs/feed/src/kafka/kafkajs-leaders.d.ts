/** The parts that this project uses of modules that kafkajs has no types for. */
declare module 'kafkajs/src/cluster/index.js' {
  export default class Cluster {
    /** The ids of the partitions by the id of the broker that leads them; under -1 those that no broker leads. */
    findLeaderForPartitions(topic: string, partitions: readonly (number | string)[]): Record<string, number[]>;
  }
}

declare module 'kafkajs/src/protocol/requests/metadata/*/response.js' {
  interface Metadata {
    topicMetadata: { partitionMetadata: { partitionErrorCode: number }[] }[];
  }

  const response: { parse(data: Metadata): Promise<Metadata> };
  export default response;
}
