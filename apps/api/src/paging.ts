/** Lists in pages: `limit` and `marker` in, `links` out. */
import { uuid } from '@strongroom/contracts';
import type { FastifyRequest } from 'fastify';
import { Fault } from './fault.js';

export const mostOf = { backups: 20, schedules: 100, instances: 20, runs: 100 } as const;

export interface PageAsked {
  limit: number;
  marker: string | undefined;
}

/** A query's value; one that is given twice counts as given last. */
export function queryValue(request: FastifyRequest, name: string): string | undefined {
  const query: unknown = request.query;
  if (typeof query !== 'object' || query === null || !Object.hasOwn(query, name)) return undefined;
  const value: unknown = Object.entries(query).find(([key]) => key === name)?.[1];
  const last: unknown = Array.isArray(value) ? value.at(-1) : value;
  return typeof last === 'string' ? last : undefined;
}

/** @throws {Fault} badRequest; more than the most is cut to it */
export function pageOf(request: FastifyRequest, most: number): PageAsked {
  const limit = queryValue(request, 'limit');
  const marker = queryValue(request, 'marker');
  if (limit !== undefined && !/^[1-9]\d{0,8}$/.test(limit))
    throw new Fault('badRequest', `limit: must be an integer of at least 1.`);
  if (marker !== undefined && marker !== '0' && !uuid.safeParse(marker).success) throw unknownMarker(marker);
  return { limit: Math.min(most, Number(limit ?? most)), marker: marker === '0' ? undefined : marker };
}

export function unknownMarker(marker: string): Fault {
  return new Fault('badRequest', `marker: ${JSON.stringify(marker.slice(0, 64))} is the id of nothing in this list.`);
}

/** The link to the next page, with every other part of the query kept. */
export function linksOf(
  request: FastifyRequest,
  { more, last }: { more: boolean; last: string | undefined },
): { rel: string; href: string }[] {
  if (!more || last === undefined) return [];
  const next = new URL(request.url, `${request.protocol}://${request.host}`);
  next.searchParams.set('marker', last);
  return [{ rel: 'next', href: next.href }];
}
