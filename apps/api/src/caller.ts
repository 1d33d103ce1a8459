/** Who calls, for which account, and the context that every event of the call carries. */
import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { EventContext } from '@strongroom/contracts';
import type { FastifyRequest } from 'fastify';

export interface Caller {
  accountId: string;
  context: EventContext;
}

const callers = new WeakMap<FastifyRequest, Caller>();

export function rememberCaller(request: FastifyRequest, caller: Caller): void {
  callers.set(request, caller);
}

/** The caller of the request, as the access guard let it in. */
export const CalledBy = createParamDecorator((_: unknown, execution: ExecutionContext): Caller => {
  const caller = callers.get(execution.switchToHttp().getRequest<FastifyRequest>());
  if (!caller) throw new TypeError('the route has no access guard');
  return caller;
});
