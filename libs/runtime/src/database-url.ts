/** Where the ledger's database is, and whether a connection to it can be listened to, or led to another server, as its URL is written. */
import { isLoopbackHost } from './addresses.js';

/** The host and the port as the client reads them: a parameter goes before the same part of the URL, and the last one counts. */
export function placeOfDatabase(databaseUrl: string): { host: string; port: number } {
  const url = new URL(databaseUrl);
  const host = parameterOf(url, 'host') || decodeURIComponent(url.hostname);
  return { host, port: Number(parameterOf(url, 'port') || url.port || 5_432) };
}

/** Why the URL is not safe enough, as what a setting's problem says; undefined when it is. */
export function whyNotVerified(databaseUrl: string): string | undefined {
  const { host } = placeOfDatabase(databaseUrl);
  if (host.startsWith('/') || isLoopbackHost(host)) return undefined;
  if (parameterOf(new URL(databaseUrl), 'sslmode') === 'verify-full') return undefined;
  return `leads to ${host} without sslmode=verify-full, so the ledger and its password would pass a network unverified; add sslmode=verify-full, with sslrootcert=PATH where the authority is your own, or set STRONGROOM_ALLOW_PLAINTEXT to database`;
}

function parameterOf(url: URL, name: string): string | undefined {
  return url.searchParams.getAll(name).at(-1);
}
