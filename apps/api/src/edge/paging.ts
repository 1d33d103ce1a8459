/** Lists in pages: `limit`, `marker` and filters in, `links` out. */
import { uuid } from '@strongroom/contracts';
import type { AppConfig, PageLimits } from '@strongroom/runtime';
import type { FastifyRequest } from 'fastify';
import { HttpFault, quoted } from './http-fault.js';

export interface PageAsked {
  limit: number;
  marker: string | undefined;
}

/** Pages as the deployment has them. */
export class Paging {
  constructor(private readonly config: Pick<AppConfig, 'pageLimits' | 'publicUrl'>) {}

  /** @throws {HttpFault} badRequest; more than the most is cut to it */
  asked(request: FastifyRequest, list: keyof PageLimits): PageAsked {
    const most = this.config.pageLimits[list];
    const limit = queryValue(request, 'limit') ?? String(most);
    const marker = queryValue(request, 'marker') ?? fromTheStart;
    if (!/^0*[1-9]\d*$/.test(limit)) throw new HttpFault('badRequest', 'limit: must be an integer of at least 1.');
    if (marker === fromTheStart) return { limit: Math.min(most, Number(limit)), marker: undefined };
    if (!uuid.safeParse(marker).success) throw unknownMarker(marker);
    return { limit: Math.min(most, Number(limit)), marker };
  }

  /** The link to the next page, with every other part of the query kept. */
  links(
    request: FastifyRequest,
    { more, last }: { more: boolean; last: string | undefined },
  ): { rel: string; href: string }[] {
    if (!more || last === undefined) return [];
    const [path = '', search = ''] = request.url.split('?', 2);
    const query = new URLSearchParams(search);
    query.set('marker', last);
    return [{ rel: 'next', href: `${this.origin(request)}${path}?${query}` }];
  }

  /** Where clients reach the service: as the deployment has it, else as the request came. */
  origin(request: FastifyRequest): string {
    return this.config.publicUrl ?? originOf(request);
  }
}

/** A query's value; of one that is given twice the last counts. */
export function queryValue({ query }: FastifyRequest, name: string): string | undefined {
  if (typeof query !== 'object' || query === null) return undefined;
  const value: unknown = Object.getOwnPropertyDescriptor(query, name)?.value;
  const last: unknown = Array.isArray(value) ? value.at(-1) : value;
  return typeof last === 'string' ? last : undefined;
}

const fromTheStart = '0';

export function unknownMarker(marker: string): HttpFault {
  return new HttpFault('badRequest', `marker: ${quoted(marker)} is the id of nothing in this list.`);
}

const nobody = '00000000-0000-0000-0000-000000000000';

/** The instance that a list is asked of. One that can be no id finds nothing, as an unknown id does. */
export function instanceFilter(request: FastifyRequest): string | undefined {
  const id = queryValue(request, 'instance_id')?.toLowerCase();
  return id === undefined || uuid.safeParse(id).success ? id : nobody;
}

/** Where the client reached this service, as it says itself; where the connection ended, when it does not or raves. */
function originOf({ protocol, headers, socket }: FastifyRequest): string {
  const { host = '' } = headers;
  const own = `${socket.localFamily === 'IPv6' ? `[${socket.localAddress}]` : socket.localAddress}:${socket.localPort}`;
  return `${protocol}://${/^[\w.:[\]-]+$/.test(host) ? host : own}`;
}
