/** Lists in pages: `limit`, `marker` and filters in, `links` out. */
import { uuid } from '@strongroom/contracts';
import type { FastifyRequest } from 'fastify';
import { Fault, quoted } from './fault.js';

export const mostOf = { backups: 20, schedules: 100, instances: 20, runs: 100, events: 100 } as const;

export interface PageAsked {
  limit: number;
  marker: string | undefined;
}

/** A query's value; of one that is given twice the last counts. */
export function queryValue({ query }: FastifyRequest, name: string): string | undefined {
  if (typeof query !== 'object' || query === null) return undefined;
  const value: unknown = Object.getOwnPropertyDescriptor(query, name)?.value;
  const last: unknown = Array.isArray(value) ? value.at(-1) : value;
  return typeof last === 'string' ? last : undefined;
}

/** @throws {Fault} badRequest; more than the most is cut to it */
export function pageOf(request: FastifyRequest, most: number): PageAsked {
  const limit = queryValue(request, 'limit') ?? String(most);
  const marker = queryValue(request, 'marker') ?? fromTheStart;
  if (!/^0*[1-9]\d*$/.test(limit)) throw new Fault('badRequest', 'limit: must be an integer of at least 1.');
  if (marker === fromTheStart) return { limit: Math.min(most, Number(limit)), marker: undefined };
  if (!uuid.safeParse(marker).success) throw unknownMarker(marker);
  return { limit: Math.min(most, Number(limit)), marker };
}

const fromTheStart = '0';

export function unknownMarker(marker: string): Fault {
  return new Fault('badRequest', `marker: ${quoted(marker)} is the id of nothing in this list.`);
}

const nobody = '00000000-0000-0000-0000-000000000000';

/** The instance that a list is asked of. One that can be no id finds nothing, as an unknown id does. */
export function instanceFilter(request: FastifyRequest): string | undefined {
  const id = queryValue(request, 'instance_id')?.toLowerCase();
  return id === undefined || uuid.safeParse(id).success ? id : nobody;
}

/** The link to the next page, with every other part of the query kept. */
export function linksOf(
  request: FastifyRequest,
  { more, last }: { more: boolean; last: string | undefined },
): { rel: string; href: string }[] {
  if (!more || last === undefined) return [];
  const [path = '', search = ''] = request.url.split('?', 2);
  const query = new URLSearchParams(search);
  query.set('marker', last);
  return [{ rel: 'next', href: `${originOf(request)}${path}?${query}` }];
}

/** Where the client reached this service, as it says itself; where the connection ended, when it does not or raves. */
export function originOf({ protocol, headers, socket }: FastifyRequest): string {
  const { host = '' } = headers;
  const own = `${socket.localFamily === 'IPv6' ? `[${socket.localAddress}]` : socket.localAddress}:${socket.localPort}`;
  return `${protocol}://${/^[\w.:[\]-]+$/.test(host) ? host : own}`;
}
