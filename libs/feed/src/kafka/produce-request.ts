/**
 * Writes the request that sends messages to a broker, into memory that is taken once. kafkajs 2.2.4 takes memory of its own for each
 * header of each message, and copies the request again and again, which costs more than all else that a relay does. Requests that it
 * writes in another way (compressed, in a transaction, with times or bytes of the caller) are left to it.
 */
import type { Message } from 'kafkajs';
import Encoder from 'kafkajs/src/protocol/encoder.js';
import crc32C from 'kafkajs/src/protocol/recordBatch/crc32C/index.js';
import produce, { type Produced } from 'kafkajs/src/protocol/requests/produce/index.js';

/** The first version whose batches are of format 2. Those after it have the same form. */
const firstVersion = 3;
const noTransaction = -1;
const magic = 2;
/** Of a batch: what comes before the checksum, and what comes between it and the first record. */
const beforeChecksum = 8 + 4 + 4 + 1;
const afterChecksum = 2 + 4 + 8 + 8 + 8 + 2 + 4 + 4;
const batchHead = beforeChecksum + 4 + afterChecksum;

/** A message whose parts are all texts. */
interface Plain {
  key: string;
  value: string;
  headers: Readonly<Record<string, string>>;
}

interface Sized {
  message: Plain;
  /** The bytes of the record behind its length, and those of the key, the value and the values of the headers in their order. */
  bytes: number;
  parts: number[];
}

const { protocol } = produce;
produce.protocol = (asked) => {
  const requested = protocol(asked);
  if (asked.version < firstVersion) return requested;
  return (produced) => {
    const made = requested(produced);
    const { encode } = made.request;
    made.request.encode = async () => encoderOf(produced, Date.now()) ?? encode();
    return made;
  };
};

/** The request without its header; undefined when kafkajs has to write it. */
export function encoderOf(produced: Produced, nowMs: number): Encoder | undefined {
  const { acks, timeout, compression = 0, transactionalId = null, topicData } = produced;
  if (compression !== 0 || transactionalId !== null) return undefined;
  const topics: {
    topic: string;
    partitions: { partition: number; sequence: number; records: Sized[]; size: number }[];
  }[] = [];
  let size = 2 + 2 + 4 + 4;
  for (const { topic, partitions } of topicData) {
    const own = [];
    size += 2 + Buffer.byteLength(topic) + 4;
    for (const { partition, firstSequence: sequence = 0, messages } of partitions) {
      const records: Sized[] = [];
      let ofBatch = batchHead;
      for (const message of messages) {
        if (!isPlain(message)) return undefined;
        const sized = sizedOf(message, records.length);
        records.push(sized);
        ofBatch += sizeOfVarint(sized.bytes) + sized.bytes;
      }
      own.push({ partition, sequence, records, size: ofBatch });
      size += 4 + 4 + ofBatch;
    }
    topics.push({ topic, partitions: own });
  }
  const writer = new Writer(size);
  writer.int16(noTransaction);
  writer.int16(acks);
  writer.int32(timeout);
  writer.int32(topics.length);
  for (const { topic, partitions } of topics) {
    const bytes = Buffer.byteLength(topic);
    writer.int16(bytes);
    writer.text(topic, bytes);
    writer.int32(partitions.length);
    for (const each of partitions) {
      writer.int32(each.partition);
      writer.int32(each.size);
      writeBatch(writer, each, produced, BigInt(nowMs));
    }
  }
  const encoder = new Encoder(1);
  encoder.buf = writer.bytes;
  encoder.offset = size;
  return encoder;
}

function writeBatch(
  writer: Writer,
  { sequence, records, size }: { sequence: number; records: readonly Sized[]; size: number },
  { producerId = -1, producerEpoch = 0 }: Produced,
  nowMs: bigint,
): void {
  const begin = writer.at;
  writer.int64(0n);
  writer.int32(size - 12);
  writer.int32(0);
  writer.int8(magic);
  const checksumAt = writer.at;
  writer.int32(0);
  writer.int16(0);
  writer.int32(records.length - 1);
  writer.int64(nowMs);
  writer.int64(nowMs);
  writer.int64(BigInt(producerId.toString()));
  writer.int16(producerEpoch);
  writer.int32(sequence);
  writer.int32(records.length);
  for (const [index, record] of records.entries()) writeRecord(writer, index, record);
  writer.bytes.writeUInt32BE(crc32C(writer.bytes.subarray(checksumAt + 4, begin + size)), checksumAt);
}

function writeRecord(writer: Writer, index: number, { message, bytes, parts }: Sized): void {
  const [ofKey = 0, ofValue = 0] = parts;
  const names = Object.keys(message.headers);
  writer.varint(bytes);
  writer.int8(0);
  writer.varint(0);
  writer.varint(index);
  writer.varint(ofKey);
  writer.text(message.key, ofKey);
  writer.varint(ofValue);
  writer.text(message.value, ofValue);
  writer.varint(names.length);
  for (const [at, name] of names.entries()) {
    const ofHeader = parts[2 + at] ?? 0;
    writer.raw(nameOf(name));
    writer.varint(ofHeader);
    writer.text(message.headers[name] ?? '', ofHeader);
  }
}

function isPlain(message: Message): message is Message & Plain {
  const { key, value, headers, timestamp } = message;
  if (typeof key !== 'string' || typeof value !== 'string' || timestamp !== undefined || !headers) return false;
  for (const name in headers) if (typeof headers[name] !== 'string') return false;
  return true;
}

function sizedOf(message: Plain, index: number): Sized {
  const parts = [Buffer.byteLength(message.key), Buffer.byteLength(message.value)];
  // Its attributes and its time take a byte each.
  let bytes = 2 + sizeOfVarint(index);
  let headers = 0;
  for (const name in message.headers) {
    parts.push(Buffer.byteLength(message.headers[name] ?? ''));
    bytes += nameOf(name).length;
    headers += 1;
  }
  bytes += sizeOfVarint(headers);
  for (const part of parts) bytes += sizeOfVarint(part) + part;
  return { message, bytes, parts };
}

/** The names of headers with their lengths, as they are written. There are few of them. */
const names = new Map<string, Buffer>();
const mostNames = 100;

function nameOf(name: string): Buffer {
  const known = names.get(name);
  if (known) return known;
  const length = Buffer.byteLength(name);
  const writer = new Writer(sizeOfVarint(length) + length);
  writer.varint(length);
  writer.text(name, length);
  if (names.size < mostNames) names.set(name, writer.bytes);
  return writer.bytes;
}

/** Of a zigzag varint of a number that is not negative. */
function sizeOfVarint(value: number): number {
  let bytes = 1;
  for (let rest = value * 2; rest > 127; rest = Math.floor(rest / 128)) bytes += 1;
  return bytes;
}

/** Writes one after the other into bytes that are exactly enough. */
class Writer {
  readonly bytes: Buffer;
  at = 0;

  constructor(size: number) {
    this.bytes = Buffer.allocUnsafe(size);
  }

  int8(value: number): void {
    this.at = this.bytes.writeInt8(value, this.at);
  }

  int16(value: number): void {
    this.at = this.bytes.writeInt16BE(value, this.at);
  }

  int32(value: number): void {
    this.at = this.bytes.writeInt32BE(value, this.at);
  }

  int64(value: bigint): void {
    this.at = this.bytes.writeBigInt64BE(value, this.at);
  }

  varint(value: number): void {
    let rest = value * 2;
    for (; rest > 127; rest = Math.floor(rest / 128)) this.bytes[this.at++] = (rest % 128) + 128;
    this.bytes[this.at++] = rest;
  }

  text(text: string, bytes: number): void {
    this.at += this.bytes.write(text, this.at, bytes, 'utf8');
  }

  raw(bytes: Buffer): void {
    this.bytes.set(bytes, this.at);
    this.at += bytes.length;
  }
}
