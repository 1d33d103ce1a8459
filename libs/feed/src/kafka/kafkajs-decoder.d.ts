/** The parts that this project uses of a class that kafkajs has no types for. */
declare module 'kafkajs/src/protocol/decoder.js' {
  export default class Decoder {
    constructor(buffer: Buffer);
    buffer: Buffer;
    offset: number;
    /** The next bytes as a part of their own. It does not move the offset. */
    slice(size: number): Decoder;
    readVarInt(): number;
    /** The headers of a record. */
    readVarIntArray<T>(read: (decoder: Decoder) => T): T[];
  }
}

declare module 'kafkajs/src/protocol/requests/fetch/v4/decodeMessages.js' {
  import type Decoder from 'kafkajs/src/protocol/decoder.js';

  interface DecodedRecord {
    offset: string;
    value: Buffer | null;
    headers: Record<string, Buffer>;
  }

  /** The records of the batches that follow, which their size in bytes stands before. */
  export default function decodeMessages(decoder: Decoder): Promise<DecodedRecord[]>;
}
