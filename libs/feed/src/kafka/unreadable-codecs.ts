/**
 * Reads messages of other producers whose compression we don't have, or whose compressed bytes are damaged, as messages without
 * a value that say so. They are set aside, each by itself. The client would end the consumer at such a batch, and again at every
 * next try, for all topics.
 */
import kafkajs from 'kafkajs';

// Node finds only some names of this CommonJS module, and these are not among them.
const { CompressionCodecs, CompressionTypes } = kafkajs;

export const unreadableHeader = 'strongroom-unreadable';

/** More than a batch of a usual size holds. */
const mostRecords = 200_000;

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
      } catch {
        return stubsOf(`damaged, compressed with ${name}`);
      }
      return stubsOf(`compressed with ${name}`);
    },
  };
}

function stubsOf(why: string): Buffer {
  const known = stubs.get(why);
  if (known) return known;
  const header = [...textOf(unreadableHeader), ...textOf(why)];
  const made = Buffer.concat(Array.from({ length: mostRecords }, (_, offsetDelta) => recordOf(offsetDelta, header)));
  stubs.set(why, made);
  return made;
}

/** A record of Kafka's format 2: no key, no value, one header. */
function recordOf(offsetDelta: number, header: readonly number[]): Buffer {
  const attributes = 0;
  const none = varint(-1);
  const body = [attributes, ...varint(0), ...varint(offsetDelta), ...none, ...none, ...varint(1), ...header];
  return Buffer.from([...varint(body.length), ...body]);
}

function textOf(text: string): number[] {
  const bytes = Buffer.from(text);
  return [...varint(bytes.length), ...bytes];
}

/** A zigzag varint, as Kafka writes signed numbers. */
function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value < 0 ? -2 * value - 1 : 2 * value;
  while (rest > 127) {
    bytes.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  return [...bytes, rest];
}

const gzip: Codec = CompressionCodecs[CompressionTypes.GZIP]();
CompressionCodecs[CompressionTypes.GZIP] = () => codecOf('gzip', gzip);
CompressionCodecs[CompressionTypes.Snappy] = () => codecOf('snappy');
CompressionCodecs[CompressionTypes.LZ4] = () => codecOf('lz4');
CompressionCodecs[CompressionTypes.ZSTD] = () => codecOf('zstd');
