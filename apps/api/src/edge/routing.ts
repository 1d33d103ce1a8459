/**
 * Routes and their operations. A route has the method, the path and the status of its operation, and a request belongs
 * to the operation whose route the router has chosen. The router decodes a path and cuts it at a `#`. A pattern on the
 * raw path would miss requests that a route answers.
 */
import type { Type } from '@nestjs/common';
import { type Operation, operations } from '@strongroom/contracts';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Asked } from './asked.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The operation that the route answers. */
    operation?: Operation;
  }
}

type Method = (asked: Asked) => unknown;
type Handled = { operation: Operation; name: string };
const handledBy = new WeakMap<object, Handled[]>();

/** The decorator of the method that answers the operation. The method gives the body of the answer, or a promise of it. */
export function Handles(operation: Operation) {
  return <M extends Method>(target: object, name: string, _: TypedPropertyDescriptor<M>): void => {
    handledBy.set(target, [...handledOf(target), { operation, name }]);
  };
}

function handledOf(target: object): readonly Handled[] {
  return handledBy.get(target) ?? [];
}

/** The operations that the methods of a class answer. */
export function operationsOfRoutes({ prototype }: Type): Operation[] {
  return handledOf(prototype).map(({ operation }) => operation);
}

/** Answers a request to an operation. @param work does what is asked and gives the body of the answer */
export type Answering = (asked: Asked, operation: Operation, work: () => unknown) => unknown;

/**
 * Gives the router a route for each operation of the classes. Nest makes their instances, and has no part in the routes: it would take
 * as long between a route and its method as many a method takes. What a method throws is answered like any other error.
 */
export function serveOperations(
  server: FastifyInstance,
  instanceOf: (type: Type) => object,
  classes: readonly Type[],
  answering: Answering,
): void {
  for (const type of classes) {
    const instance = instanceOf(type);
    for (const { operation, name } of handledOf(type.prototype)) {
      const method: Method = Reflect.get(instance, name).bind(instance);
      server.route({
        method: operation.method,
        url: routeOf(operation.path),
        config: { operation },
        handler: (request, reply) => handle({ request, reply }, operation, method, answering),
      });
    }
  }
}

async function handle(
  { request, reply }: { request: FastifyRequest; reply: FastifyReply },
  operation: Operation,
  method: Method,
  answering: Answering,
): Promise<FastifyReply | undefined> {
  const asked = new Asked(request, reply);
  if (asked.lacksPart()) return void reply.callNotFound();
  void reply.status(operation.status);
  const body = await answering(asked, operation, () => method(asked));
  // A live stream has taken the reply over.
  return reply.sent ? reply : reply.send(body);
}

const ofRoutes = new Map(operations.map((operation) => [`${operation.method} ${routeOf(operation.path)}`, operation]));

/** The operation that the request was routed to, or undefined when the API has none. HEAD is GET without the body. */
export function operationOf({ method, routeOptions: { config, url } }: FastifyRequest): Operation | undefined {
  return config.operation ?? ofRoutes.get(`${method === 'HEAD' ? 'GET' : method} ${url}`);
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
