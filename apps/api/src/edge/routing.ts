/**
 * What a request is for, as the router has read it: it decodes a path and ends it at a `#`, so whoever matches the raw
 * path with patterns of his own takes for unknown what a controller answers.
 */
import { type Operation, operations } from '@strongroom/contracts';
import type { FastifyRequest } from 'fastify';

const ofRoutes = new Map(
  operations.map((operation) => [`${operation.method} ${operation.path.replaceAll(/\{(\w+)\}/g, ':$1')}`, operation]),
);

/** The operation that the request was routed to; none when the API has no such. HEAD is GET without its body. */
export function operationOf({ method, routeOptions }: FastifyRequest): Operation | undefined {
  return ofRoutes.get(`${method === 'HEAD' ? 'GET' : method} ${routeOptions.url}`);
}

/** The path of the request, decoded; as it came where it can't be. */
export function pathAsked({ url }: Pick<FastifyRequest, 'url'>): string {
  const [path = ''] = url.replace(/^https?:\/\/[^/?#]*/i, '').split(/[?#]/, 1);
  try {
    return decodeURI(path);
  } catch {
    return path;
  }
}
