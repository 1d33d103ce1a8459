/** Places in PostgreSQL's WAL as it writes them, such as `16/B374D848`: 64 bits in two hexadecimal halves. */

const form = /^[0-9A-F]{1,8}\/[0-9A-F]{1,8}$/i;

export function isLsn(value: unknown): value is string {
  return typeof value === 'string' && form.test(value);
}

/** Compares two places: negative when the first lies before the second. @throws {SyntaxError} when one is no LSN */
export function compareLsn(first: string, second: string): number {
  const [a, b] = [positionOf(first), positionOf(second)];
  return a < b ? -1 : Number(a > b);
}

/** The number that a page's header has for it. @throws {SyntaxError} when it is no LSN */
export function positionOf(text: string): bigint {
  const [high = '', low = ''] = text.split('/');
  return (BigInt(`0x${high}`) << 32n) | BigInt(`0x${low}`);
}

/** How many bytes of WAL lie between the two. Negative when the second lies before the first. */
export function bytesBetween(first: string, second: string): number {
  return Number(positionOf(second) - positionOf(first));
}
