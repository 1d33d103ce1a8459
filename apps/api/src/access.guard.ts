/** Lets in who has a token of the account, with a role that allows the method. Everything below an account is guarded. */
import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import { Identity, mayDo } from '@strongroom/identity';
import { currentContext } from '@strongroom/runtime';
import type { FastifyRequest } from 'fastify';
import { rememberCaller } from './caller.js';
import { Fault } from './fault.js';

@Injectable()
export class AccessGuard implements CanActivate {
  constructor(@Inject(Identity) private readonly identity: Identity) {}

  async canActivate(execution: ExecutionContext): Promise<boolean> {
    const request = execution.switchToHttp().getRequest<FastifyRequest<{ Params: { accountId?: string } }>>();
    const { accountId } = request.params;
    if (accountId === undefined) return true;
    const token = request.headers['x-auth-token'];
    const principal = await this.identity.authenticate(typeof token === 'string' ? token : undefined);
    if (!principal) {
      const message = token === undefined ? 'Send a token in X-Auth-Token.' : 'The token in X-Auth-Token is not valid.';
      throw new Fault('unauthorized', message);
    }
    if (principal.accountId !== accountId) throw new Fault('forbidden', 'The token is of another account.');
    if (!mayDo(principal, request.method))
      throw new Fault('forbidden', `The token's roles do not allow ${request.method}.`);
    const correlationId = currentContext()?.correlationId ?? request.id;
    rememberCaller(request, {
      accountId,
      context: { requestId: request.id, correlationId, causationId: null, actor: principal.name },
    });
    return true;
  }
}
