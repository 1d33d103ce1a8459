/**
 * Routes and their operations. A route has the method, the path and the status of its operation, and a request belongs
 * to the operation whose route the router has chosen. The router decodes a path and cuts it at a `#`. A pattern on the
 * raw path would miss requests that a route answers.
 */
import { applyDecorators, Delete, Get, HttpCode, Patch, Post, Put } from '@nestjs/common';
import { type Operation, operations } from '@strongroom/contracts';
import type { FastifyRequest } from 'fastify';

const decorators = { GET: Get, POST: Post, PUT: Put, PATCH: Patch, DELETE: Delete };

/** The decorator of the route that answers the operation. */
export function Handles({ method, path, status }: Operation): MethodDecorator {
  return applyDecorators(decorators[method](routeOf(path)), HttpCode(status));
}

const ofRoutes = new Map(operations.map((operation) => [`${operation.method} ${routeOf(operation.path)}`, operation]));

/** The operation that the request was routed to, or undefined when the API has none. HEAD is GET without the body. */
export function operationOf({ method, routeOptions }: FastifyRequest): Operation | undefined {
  return ofRoutes.get(`${method === 'HEAD' ? 'GET' : method} ${routeOptions.url}`);
}

/** The path and the query of the request, as they came. A proxy may send the whole URL. */
export function partsOf({ url }: Pick<FastifyRequest, 'url'>): { path: string; query: string } {
  const [asked = ''] = url.replace(/^https?:\/\/[^/?#]*/i, '').split('#', 1);
  const [path = ''] = asked.split('?', 1);
  return { path, query: asked.slice(path.length + 1) };
}

/** The path of the request, decoded; one that can't be decoded stays as it came. */
export function pathAsked(request: Pick<FastifyRequest, 'url'>): string {
  const { path } = partsOf(request);
  try {
    return decodeURI(path);
  } catch {
    return path;
  }
}

/** OpenAPI writes a parameter as `{id}`, the router as `:id`. */
function routeOf(path: string): string {
  return path.replaceAll(/\{(\w+)\}/g, ':$1');
}
