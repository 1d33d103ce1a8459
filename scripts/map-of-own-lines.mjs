/**
 * Makes the source map of a program small enough to be kept in memory. Node reads the whole map when it loads the program, and takes it apart
 * at the first error.
 */
const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const valueOfDigit = new Int8Array(128).fill(-1);
for (let value = 0; value < digits.length; value += 1) valueOfDigit[digits.charCodeAt(value)] = value;
const bitsOfDigit = 5;
const continues = 1 << bitsOfDigit;
const comma = ','.charCodeAt(0);
const semicolon = ';'.charCodeAt(0);

/**
 * @param map a source map, version 3 @param isOurs whether a source, as the map names it, is ours @returns a map that knows the line of each
 *   statement of ours, and says nothing of packages: Node shows a place in a package as one in the program
 */
export function mapOfOwnLines({ version, sources, mappings }, isOurs) {
  const kept = sources.filter(isOurs);
  const indexOf = new Map(kept.map((source, index) => [source, index]));
  const indices = sources.map((source) => indexOf.get(source) ?? -1);
  const writer = new Writer();
  // Of a segment: its place in the line, and the source, line and column there. All but the first are counted from the segment before.
  const now = [0, 0, 0, 0];
  for (const segment of segmentsOf(mappings)) {
    if (segment === undefined) {
      writer.endLine();
      now[0] = 0;
      continue;
    }
    for (let field = 0; field < Math.min(segment.length, now.length); field += 1) now[field] += segment[field];
    const index = segment.length > 1 ? (indices[now[1]] ?? -1) : -1;
    if (index < 0) writer.addForeign(now[0]);
    else writer.add(now[0], index, now[2], now[3]);
  }
  return { version, sources: kept, names: [], mappings: writer.text };
}

/** Gives the numbers of each segment, in an array that is used again, and undefined at the end of a line. */
function* segmentsOf(mappings) {
  const numbers = [];
  let value = 0;
  let shift = 0;
  for (let at = 0; at < mappings.length; at += 1) {
    const code = mappings.charCodeAt(at);
    if (code === comma || code === semicolon) {
      if (numbers.length > 0) yield numbers;
      numbers.length = 0;
      if (code === semicolon) yield undefined;
      continue;
    }
    const digit = valueOfDigit[code] ?? -1;
    if (digit < 0) throw new Error(`the source map has "${mappings[at]}" in its mappings`);
    value |= (digit & (continues - 1)) << shift;
    shift += bitsOfDigit;
    if ((digit & continues) !== 0) continue;
    numbers.push((value & 1) === 1 ? -(value >>> 1) : value >>> 1);
    value = 0;
    shift = 0;
  }
  if (numbers.length > 0) yield numbers;
}

/** Writes segments, and leaves out those that tell no other line than the one before. */
class Writer {
  parts = [];
  written = [0, 0, 0, 0];
  separator = '';
  /** Whether the program is ours at the last segment, and whether a segment of this line has said where. */
  inOurs = false;
  isSaid = false;

  get text() {
    return this.parts.join('');
  }

  endLine() {
    this.parts.push(';');
    this.separator = '';
    this.written[0] = 0;
    this.isSaid = false;
  }

  add(...place) {
    const [, source, line] = place;
    if (this.isSaid && source === this.written[1] && line === this.written[2]) return;
    this.write(place);
    this.inOurs = true;
    this.isSaid = true;
  }

  addForeign(at) {
    if (this.inOurs) this.write([at]);
    this.inOurs = false;
    this.isSaid = false;
  }

  write(place) {
    const text = place.map((number, field) => textOf(number - this.written[field])).join('');
    this.parts.push(this.separator + text);
    this.separator = ',';
    for (let field = 0; field < place.length; field += 1) this.written[field] = place[field];
  }
}

/** A number in base 64 with the least digit first. */
function textOf(number) {
  let text = '';
  let left = number < 0 ? (-number << 1) | 1 : number << 1;
  do {
    const digit = left & (continues - 1);
    left >>>= bitsOfDigit;
    text += digits[left > 0 ? digit | continues : digit];
  } while (left > 0);
  return text;
}
