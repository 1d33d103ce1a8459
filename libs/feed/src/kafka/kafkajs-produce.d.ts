/** The parts that this project uses of modules that kafkajs has no types for. */
declare module 'kafkajs/src/protocol/encoder.js' {
  export default class Encoder {
    constructor(initialSize?: number);
    buf: Buffer;
    offset: number;
    /** What was written. */
    readonly buffer: Buffer;
  }
}

declare module 'kafkajs/src/protocol/recordBatch/crc32C/index.js' {
  export default function crc32C(bytes: Buffer): number;
}

declare module 'kafkajs/src/protocol/requests/produce/index.js' {
  import type { Message } from 'kafkajs';
  import type Encoder from 'kafkajs/src/protocol/encoder.js';

  export interface Produced {
    acks: number;
    /** In milliseconds. */
    timeout: number;
    compression?: number | undefined;
    transactionalId?: string | null | undefined;
    /** A number of 64 bits in one of several forms. */
    producerId?: { toString(): string } | undefined;
    producerEpoch?: number | undefined;
    topicData: readonly {
      topic: string;
      partitions: readonly { partition: number; firstSequence?: number; messages: readonly Message[] }[];
    }[];
  }

  interface Requested {
    request: { apiVersion: number; encode(): Promise<Encoder> };
  }

  const produce: { protocol(asked: { version: number }): (produced: Produced) => Requested };
  export default produce;
}
