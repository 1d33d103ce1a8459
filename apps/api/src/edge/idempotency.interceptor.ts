/** `Idempotency-Key` on a request that changes something: the same request, made again, gets the first one's answer. */
import { type CallHandler, type ExecutionContext, Inject, type NestInterceptor } from '@nestjs/common';
import type { FaultType, Operation } from '@strongroom/contracts';
import { type Logger, loggerToken } from '@strongroom/runtime';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { from, lastValueFrom, type Observable } from 'rxjs';
import { type Caller, callerOf, rememberCaller } from './caller.js';
import { HttpFault } from './http-fault.js';
import { IdempotentRequests, type KeyedRequest, replayed, type Settled } from './idempotent-requests.js';
import { withFractionsForFloats } from './json-body.js';
import { operationOf, pathAsked } from './routing.js';

const changing = ['POST', 'PUT', 'PATCH', 'DELETE'];
/** These answers decide on the request. Any other says that the request was not decided, and may be made again. */
const decisions: readonly FaultType[] = [
  'badRequest',
  'itemNotFound',
  'conflict',
  'preconditionFailed',
  'unprocessableEntity',
];

interface KeyedCall {
  caller: Caller;
  keyed: KeyedRequest;
  operation: Operation;
  request: FastifyRequest;
  reply: FastifyReply;
}

/**
 * What shows the resource that an operation makes, as the answer of the operation does. The key is the operation's
 * name.
 */
export type Made = ReadonlyMap<string, { show(accountId: string, id: string): Promise<object> }>;
export const madeToken = Symbol('Made');

export class IdempotencyInterceptor implements NestInterceptor {
  constructor(
    @Inject(IdempotentRequests) private readonly requests: IdempotentRequests,
    @Inject(madeToken) private readonly made: Made,
    @Inject(loggerToken) private readonly log: Logger,
  ) {}

  intercept(execution: ExecutionContext, next: CallHandler): Observable<unknown> {
    const request = execution.switchToHttp().getRequest<FastifyRequest>();
    const caller = callerOf(request);
    const key = keyOf(request);
    if (!caller || key === undefined) return next.handle();
    const operation = operationOf(request);
    if (!operation) throw new TypeError(`${request.method} ${request.url} is not in the table of operations`);
    const { accountId } = caller;
    const keyed = { accountId, key, method: request.method, path: pathAsked(request), body: asWritten(request.body) };
    const reply = execution.switchToHttp().getResponse<FastifyReply>();
    return from(this.once({ caller, keyed, operation, request, reply }, next));
  }

  private async once(call: KeyedCall, next: CallHandler): Promise<unknown> {
    const { caller, keyed, request } = call;
    const begun = await this.requests.begin(keyed);
    if (begun.is !== 'open') return this.again(call, begun);
    rememberCaller(request, { ...caller, newId: begun.resourceId, keyClaims: [begun.claim] });
    let body: unknown;
    try {
      body = await lastValueFrom(next.handle(), { defaultValue: undefined });
    } catch (error) {
      if (!(error instanceof HttpFault) || !decisions.includes(error.type)) throw error;
      const instead = await this.requests.refuse(keyed, error);
      if (!instead) throw error;
      return this.again(call, instead);
    }
    return this.kept(call, body);
  }

  /** @throws {HttpFault} the first refusal; itemNotFound when what was made is gone, and the first answer was not kept */
  private async again(call: KeyedCall, settled: Settled): Promise<unknown> {
    if (settled.is === 'refused') throw settled.fault;
    const { keyed, operation, reply } = call;
    void reply.headers(replayed);
    if (settled.is === 'answered') {
      const body = settled.body ?? undefined;
      if (body !== undefined && operation.answer) void reply.status(200);
      return body;
    }
    return this.kept(call, await this.shown(operation, keyed.accountId, settled.resourceId));
  }

  /** The answer of the operation that has made the resource; undefined when that answer is empty. */
  private async shown({ name, response }: Operation, accountId: string, resourceId: string): Promise<unknown> {
    if (!response) return undefined;
    const made = this.made.get(name);
    if (!made) throw new TypeError(`nothing shows what ${name} makes`);
    return made.show(accountId, resourceId);
  }

  /** An answer that can't be kept is no failure: the effect is on disk, and the answer is made anew when it is asked for again. */
  private async kept({ keyed, operation }: KeyedCall, body: unknown): Promise<unknown> {
    try {
      const first = await this.requests.end(keyed, operation.status, body);
      if (first.is === 'answered') return first.body ?? undefined;
    } catch (error) {
      this.log.warn({ err: error }, "an idempotent request's answer was not kept");
    }
    return body;
  }
}

/** A body with 14.0 is another body than one with 14: where 14 is accepted, 14.0 may be refused. */
function asWritten(body: unknown): unknown {
  return typeof body === 'object' && body !== null ? (withFractionsForFloats(body) ?? body) : body;
}

/** @throws {HttpFault} badRequest */
function keyOf({ method, headers }: FastifyRequest): string | undefined {
  const key = headers['idempotency-key'];
  if (key === undefined || !changing.includes(method)) return undefined;
  if (typeof key === 'string' && /^[\x21-\x7e]{1,255}$/.test(key)) return key;
  throw new HttpFault('badRequest', 'Idempotency-Key: must be 1 to 255 visible ASCII characters, such as a UUID.');
}
