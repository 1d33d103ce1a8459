/**
 * Bounds what a batch of another producer may cost. A few bytes can stand for millions of records, or for a record with a hundred
 * thousand headers. kafkajs 2.2.4 would end the consumer of all topics at such a batch, again at every next try, or need minutes for
 * one message. Here the batch is read as one message that says so, with the offset of its last record.
 */
import Decoder from 'kafkajs/src/protocol/decoder.js';
import { unreadableRecord } from './unreadable-record.js';

/** A relay sends 500 at most. The client passes all records of a batch to one call, which takes about a hundred thousand. */
export const mostRecords = 10_000;
/** A record of ours has hundreds of bytes. Compressed it has at least those of its ids, which nothing makes smaller. */
const leastBytesOfRecord = 16;
/** A message of ours has about ten. The client copies those before each header that it reads. */
const mostHeaders = 100;

/** Where the fields of a batch of format 2 begin, counted from the epoch of its leader. */
const at = { magic: 4, attributes: 9, lastOffsetDelta: 11, count: 45, records: 49 };
/** The offset and the length, which stand before the epoch. */
const bytesBefore = 12;
const format = 2;
const compressionBits = 0b111;

const slice = Decoder.prototype.slice;

Decoder.prototype.slice = function bounded(size) {
  const part = slice.call(this, size);
  const isBatch = this.offset >= bytesBefore && part.buffer.length === size && size >= at.records;
  if (!isBatch || part.buffer[at.magic] !== format) return part;
  const count = part.buffer.readInt32BE(at.count);
  const most = Math.min(mostRecords, Math.floor(size / leastBytesOfRecord));
  if (count > most) part.buffer = standsFor(part.buffer, count);
  return part;
};

Decoder.prototype.readVarIntArray = function bounded(read) {
  const count = Math.min(this.readVarInt(), mostHeaders);
  // Each record is read from a part of its own, so what is left of it is passed over.
  return Array.from({ length: count }, () => read(this));
};

function standsFor(batch: Buffer, count: number): Buffer {
  const why = `a batch of ${count} records in ${batch.length} bytes`;
  const record = unreadableRecord(batch.readInt32BE(at.lastOffsetDelta), why);
  // It is no shorter than the batch, whose length the client knows.
  const made = Buffer.alloc(Math.max(batch.length, at.records + record.length));
  batch.copy(made, 0, 0, at.records);
  made.writeInt16BE(batch.readInt16BE(at.attributes) & ~compressionBits, at.attributes);
  made.writeInt32BE(1, at.count);
  record.copy(made, at.records);
  return made;
}
