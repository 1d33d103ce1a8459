/**
 * Reads messages of other producers whose compression we don't have, or whose compressed bytes are damaged or swell too much, as
 * messages without a value that say so. They are set aside, each by itself. The client would end the consumer at such a batch, and
 * again at every next try, for all topics.
 */
import { promisify } from 'node:util';
import { unzip } from 'node:zlib';
import kafkajs from 'kafkajs';
import { mostRecords } from './costly-batches.js';
import { unreadableRecord } from './unreadable-record.js';

// Node finds only some names of this CommonJS module, and these are not among them.
const { CompressionCodecs, CompressionTypes } = kafkajs;

/** Text like that of events swells to a tenth of this. A few bytes may stand for more. */
const mostTimes = 100;
const alwaysBytes = 4_096;
const mostBytes = 16_777_216;

interface Codec {
  compress(encoder: { buffer: Buffer }): Promise<Buffer>;
  decompress(buffer: Buffer): Promise<Buffer>;
}

const stubs = new Map<string, Buffer>();

function codecOf(name: string, real?: Codec): Codec {
  return {
    compress: (encoder) => real?.compress(encoder) ?? Promise.reject(new Error(`nothing is compressed with ${name}`)),
    decompress: async (bytes) => {
      try {
        if (real) return await real.decompress(bytes);
      } catch (error) {
        return stubsOf(`${isTooLarge(error) ? 'swells too much' : 'damaged'}, compressed with ${name}`);
      }
      return stubsOf(`compressed with ${name}`);
    },
  };
}

function isTooLarge(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE';
}

/** As many records as a batch may have. */
function stubsOf(why: string): Buffer {
  const known = stubs.get(why);
  if (known) return known;
  const made = Buffer.concat(Array.from({ length: mostRecords }, (_, delta) => unreadableRecord(delta, why)));
  stubs.set(why, made);
  return made;
}

const unzipped = promisify(unzip);
const ofClient: Codec = CompressionCodecs[CompressionTypes.GZIP]();
const gzip: Codec = {
  compress: (encoder) => ofClient.compress(encoder),
  decompress: (bytes) =>
    unzipped(bytes, { maxOutputLength: Math.min(mostBytes, alwaysBytes + mostTimes * bytes.length) }),
};
CompressionCodecs[CompressionTypes.GZIP] = () => codecOf('gzip', gzip);
CompressionCodecs[CompressionTypes.Snappy] = () => codecOf('snappy');
CompressionCodecs[CompressionTypes.LZ4] = () => codecOf('lz4');
CompressionCodecs[CompressionTypes.ZSTD] = () => codecOf('zstd');
