/** Instants as the contract writes them, in UTC. */

/** RFC 3339: `2020-11-14T07:28:17.000Z`. */
export function utc(at: Date): string {
  return at.toISOString();
}

export function utcOrNull(at: Date | null): string | null {
  return at && utc(at);
}

/** As schedules and instances have it: to the second, without a zone. */
export function utcWithoutZone(at: Date): string {
  return at.toISOString().slice(0, 19);
}
