/** Instants as the contract writes them: RFC 3339, in UTC. */

export function utc(at: Date): string {
  return at.toISOString();
}

export function utcOrNull(at: Date | null): string | null {
  return at && utc(at);
}
