/** Lists in pages: `limit`, `marker` and filters in, `links` out. */
import { Inject } from '@nestjs/common';
import { uuid } from '@strongroom/contracts';
import { type AppConfig, configToken, type PageLimits } from '@strongroom/runtime';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { HttpFault, quoted } from './http-fault.js';
import { partsOf } from './routing.js';

interface Link {
  rel: string;
  href: string;
}

export interface PageAsked {
  limit: number;
  /** The id of the last item that the client has seen; undefined when it begins at the start. */
  marker: string | undefined;
}

/** The items of a page as the text of JSON. */
export interface TextOfItems {
  /** JSON values with commas between them. */
  text: string;
  /** The id of the last item; undefined when there is none. */
  last: string | undefined;
  more: boolean;
}

export function textOfItems<Item extends { id: string }>({
  items,
  more,
}: {
  items: Item[];
  more: boolean;
}): TextOfItems {
  return { text: items.map((item) => JSON.stringify(item)).join(','), last: items.at(-1)?.id, more };
}

/** An answer that is the text of JSON already. */
export function asJson(reply: FastifyReply, text: string): string {
  void reply.type('application/json; charset=utf-8');
  return text;
}

/** Pages, in the sizes that the deployment has configured. */
export class Paging {
  constructor(@Inject(configToken) private readonly config: AppConfig) {}

  /**
   * One page of a list, under the list's name, with a link to the next page.
   * @param read gives the page; undefined when the marker is the id of nothing in the list
   * @throws {HttpFault} badRequest for a wrong limit or an unknown marker
   */
  async answer<List extends keyof PageLimits, Item extends { id: string }>(
    request: FastifyRequest,
    list: List,
    read: (asked: PageAsked) => Promise<{ items: Item[]; more: boolean } | undefined>,
  ) {
    const { items, links } = await this.page(request, list, read);
    return { [list]: items, links };
  }

  /** As `answer`, for an answer that has more than the list. */
  async page<Item extends { id: string }>(
    request: FastifyRequest,
    list: keyof PageLimits,
    read: (asked: PageAsked) => Promise<{ items: Item[]; more: boolean } | undefined>,
  ): Promise<{ items: Item[]; links: Link[] }> {
    const asked = this.asked(request, list);
    const page = await read(asked);
    if (!page) throw unknownMarker(asked.marker ?? '');
    return { items: page.items, links: this.links(request, { more: page.more, last: page.items.at(-1)?.id }) };
  }

  /**
   * A page of a list that is read from its end: it has the newest items, the oldest of these first, and the next page older ones.
   * @throws {HttpFault} badRequest for a wrong limit or an unknown marker
   */
  async newest<Item extends { id: string }>(
    request: FastifyRequest,
    list: keyof PageLimits,
    read: (asked: PageAsked) => Promise<{ items: Item[]; more: boolean } | undefined>,
  ): Promise<{ items: Item[]; links: Link[] }> {
    const asked = this.asked(request, list);
    const page = await read(asked);
    if (!page) throw unknownMarker(asked.marker ?? '');
    return { items: page.items, links: this.links(request, { more: page.more, last: page.items[0]?.id }) };
  }

  /** As `answer`, for a list that is read as text. */
  async answerText<List extends keyof PageLimits>(
    { request, reply }: { request: FastifyRequest; reply: FastifyReply },
    list: List,
    read: (asked: PageAsked) => Promise<TextOfItems | undefined>,
  ): Promise<string> {
    const asked = this.asked(request, list);
    const page = await read(asked);
    if (!page) throw unknownMarker(asked.marker ?? '');
    return asJson(reply, `{"${list}":[${page.text}],"links":${JSON.stringify(this.links(request, page))}}`);
  }

  /** The address by which clients reach the service: the configured one, or the one by which the request came. */
  origin(request: FastifyRequest): string {
    return this.config.publicUrl ?? originOf(request);
  }

  /** A limit above the most is cut to it. */
  private asked(request: FastifyRequest, list: keyof PageLimits): PageAsked {
    const most = this.config.pageLimits[list];
    const limit = queryValue(request, 'limit') ?? String(most);
    const marker = queryValue(request, 'marker') ?? fromTheStart;
    if (!/^0*[1-9]\d*$/.test(limit)) throw new HttpFault('badRequest', 'limit: must be an integer of at least 1.');
    if (marker === fromTheStart) return { limit: Math.min(most, Number(limit)), marker: undefined };
    if (!uuid.safeParse(marker).success) throw unknownMarker(marker);
    return { limit: Math.min(most, Number(limit)), marker };
  }

  /** The link to the next page keeps every other part of the query. */
  private links(request: FastifyRequest, { more, last }: { more: boolean; last: string | undefined }): Link[] {
    if (!more || last === undefined) return [];
    const { path, query } = partsOf(request);
    return [{ rel: 'next', href: `${this.origin(request)}${path}?${withMarker(query, last)}` }];
  }
}

/** The query, with the marker of its next page. */
function withMarker(query: string, marker: string): string {
  if (query === '') return `marker=${encodeURIComponent(marker)}`;
  const next = new URLSearchParams(query);
  next.set('marker', marker);
  return next.toString();
}

/** A query's value; when it is given twice, the last one counts. */
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

/** The instance whose items a list is asked for. A value that is no id finds nothing, as an unknown id does. */
export function instanceFilter(request: FastifyRequest): string | undefined {
  const id = queryValue(request, 'instance_id')?.toLowerCase();
  return id === undefined || uuid.safeParse(id).success ? id : nobody;
}

/** The address by which the client says that it has reached the service, or the connection's own when that can't be right. */
function originOf({ protocol, headers, socket }: FastifyRequest): string {
  const { host = '' } = headers;
  const own = `${socket.localFamily === 'IPv6' ? `[${socket.localAddress}]` : socket.localAddress}:${socket.localPort}`;
  return `${protocol}://${/^[\w.:[\]-]+$/.test(host) ? host : own}`;
}
