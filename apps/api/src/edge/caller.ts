/** Who calls, for which account, and the context that every event of the call carries. */
import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { EventContext } from '@strongroom/contracts';
import type { Claim } from '@strongroom/domain';
import type { FastifyRequest } from 'fastify';

export interface Caller {
  accountId: string;
  context: EventContext;
  /** Whether the caller's role may have backups deleted. */
  mayDelete: boolean;
  /** Of a call with an Idempotency-Key. */
  repeatable?: Repeatable | undefined;
}

/** What makes a call that is made again the same call. */
export interface Repeatable {
  /** The id of the resource that it makes. */
  resourceId: string;
  /** Taken with its effect. */
  claim: Claim;
}

const callers = new WeakMap<FastifyRequest, Caller>();

export function rememberCaller(request: FastifyRequest, caller: Caller): void {
  callers.set(request, caller);
}

/** Who the access guard let in; nobody on a route without one. */
export function callerOf(request: FastifyRequest): Caller | undefined {
  return callers.get(request);
}

/** The caller of the request, as the access guard let it in. */
export const CalledBy = createParamDecorator((_: unknown, execution: ExecutionContext): Caller => {
  const caller = callerOf(execution.switchToHttp().getRequest<FastifyRequest>());
  if (!caller) throw new TypeError('the route has no access guard');
  return caller;
});
