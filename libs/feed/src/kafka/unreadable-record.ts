/** A record of Kafka's format 2 that stands for what can't be read: it has no key and no value, and its one header says why. */

export const unreadableHeader = 'strongroom-unreadable';

/** @param offsetDelta its offset, counted from that of its batch */
export function unreadableRecord(offsetDelta: number, why: string): Buffer {
  const attributes = 0;
  const none = varint(-1);
  const header = [...textOf(unreadableHeader), ...textOf(why)];
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
