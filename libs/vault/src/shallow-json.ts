/**
 * Parses JSON that a vault holds, where anybody may have written. What is nested deeper than ours ever is, or has more values, would keep
 * the process busy for seconds, and take many times its size in memory.
 */
const deepest = 16;
/** A manifest of twenty thousand objects has a hundred thousand, and its engine tells of as many things at the most. */
const mostValues = 250_000;
const [quote, backslash, comma] = [0x22, 0x5c, 0x2c];
const opening: ReadonlySet<number | undefined> = new Set([0x5b, 0x7b]);
const closing: ReadonlySet<number | undefined> = new Set([0x5d, 0x7d]);

/** @throws {SyntaxError} */
export function parseShallow(bytes: Buffer): unknown {
  let depth = 0;
  let values = 1;
  let isText = false;
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at];
    if (isText) {
      if (byte === backslash) at += 1;
      else if (byte === quote) isText = false;
    } else if (byte === quote) isText = true;
    else if (byte === comma) values += 1;
    else if (opening.has(byte)) depth += 1;
    else if (closing.has(byte)) depth -= 1;
    if (values > mostValues) throw new SyntaxError(`it has more than ${mostValues} values`);
    if (depth > deepest) throw new SyntaxError(`it is nested more than ${deepest} deep`);
  }
  return JSON.parse(bytes.toString('utf8'));
}
