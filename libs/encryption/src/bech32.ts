/** Bech32, in which age writes its keys: a prefix, the bytes, and a checksum that finds what was mistyped. Source: BIP 173. */

const alphabet = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l';
const generator = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3];
const checksumLength = 6;

/** In lower case. */
export function toBech32(prefix: string, bytes: Uint8Array): string {
  const values = regrouped(bytes, 8, 5, true);
  const checked = polymod([...expanded(prefix), ...values, ...new Array<number>(checksumLength).fill(0)]) ^ 1;
  const checksum = Array.from({ length: checksumLength }, (_, index) => (checked >>> (5 * (5 - index))) & 31);
  return `${prefix}1${[...values, ...checksum].map((value) => alphabet[value]).join('')}`;
}

/** @returns undefined when the text is no Bech32 of this prefix. It may be all lower or all upper case */
export function fromBech32(prefix: string, text: string): Buffer | undefined {
  const lower = text.toLowerCase();
  if (text !== lower && text !== text.toUpperCase()) return undefined;
  if (!lower.startsWith(`${prefix}1`)) return undefined;
  const values = [...lower.slice(prefix.length + 1)].map((letter) => alphabet.indexOf(letter));
  if (values.length < checksumLength || values.includes(-1)) return undefined;
  if (polymod([...expanded(prefix), ...values]) !== 1) return undefined;
  const bytes = regrouped(values.slice(0, -checksumLength), 5, 8, false);
  return bytes.length > 0 || values.length === checksumLength ? Buffer.from(bytes) : undefined;
}

function expanded(prefix: string): number[] {
  const codes = [...prefix].map((letter) => letter.charCodeAt(0));
  return [...codes.map((code) => code >> 5), 0, ...codes.map((code) => code & 31)];
}

function polymod(values: readonly number[]): number {
  let checked = 1;
  for (const value of values) {
    const top = checked >>> 25;
    checked = ((checked & 0x1ffffff) << 5) ^ value;
    for (const [bit, word] of generator.entries()) if ((top >>> bit) & 1) checked ^= word;
  }
  return checked >>> 0;
}

/** @returns nothing when bits are left over that should be none */
function regrouped(values: Iterable<number>, from: number, to: number, isPadded: boolean): number[] {
  const groups: number[] = [];
  let held = 0;
  let bits = 0;
  for (const value of values) {
    held = ((held << from) | value) & 0xfff;
    bits += from;
    while (bits >= to) {
      bits -= to;
      groups.push((held >>> bits) & ((1 << to) - 1));
    }
  }
  const rest = (held << (to - bits)) & ((1 << to) - 1);
  if (isPadded) {
    if (bits > 0) groups.push(rest);
    return groups;
  }
  return bits >= from || rest !== 0 ? [] : groups;
}
