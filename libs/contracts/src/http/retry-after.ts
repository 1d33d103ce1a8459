/**
 * How long an answer asks to be left alone, in milliseconds: undefined when it does not ask, or for a time that has passed.
 * @param now in milliseconds since 1970
 * @param after what it says behind `retry-after`: seconds, or the time of a clock as HTTP writes it (RFC 9110, 10.2.3)
 */
export function retryAfterMs(after: string | undefined, now: number): number | undefined {
  const seconds = Number(after ?? '');
  const asked = Number.isNaN(seconds) ? Date.parse(after ?? '') - now : seconds * 1_000;
  return asked > 0 ? asked : undefined;
}
