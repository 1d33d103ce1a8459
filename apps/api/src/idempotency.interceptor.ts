/** `Idempotency-Key` on what changes something: the same request again gets the first one's answer. */
import { type CallHandler, type ExecutionContext, Injectable, type NestInterceptor } from '@nestjs/common';
import type { Logger } from '@strongroom/runtime';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { from, lastValueFrom, type Observable } from 'rxjs';
import { callerOf, rememberCaller } from './caller.js';
import { Fault } from './fault.js';
import type { IdempotentRequests, KeyedRequest, KnownAnswer } from './idempotent-requests.js';
import { operationOf } from './operations.js';

const changing = ['POST', 'PUT', 'DELETE'];

@Injectable()
export class IdempotencyInterceptor implements NestInterceptor {
  constructor(
    private readonly requests: IdempotentRequests,
    private readonly log: Logger,
  ) {}

  intercept(execution: ExecutionContext, next: CallHandler): Observable<unknown> {
    const request = execution.switchToHttp().getRequest<FastifyRequest>();
    const keyed = keyedRequest(request);
    if (!keyed) return next.handle();
    const reply = execution.switchToHttp().getResponse<FastifyReply>();
    return from(this.once(keyed, request, reply, next));
  }

  private async once(keyed: KeyedRequest, request: FastifyRequest, reply: FastifyReply, next: CallHandler) {
    const begun = await this.requests.begin(keyed);
    if ('status' in begun) return again(reply, begun);
    const caller = callerOf(request);
    const operation = operationOf(keyed.method, keyed.path);
    if (!caller || !operation) return lastValueFrom(next.handle(), { defaultValue: undefined });
    if (begun.hadEffect && !operation.response) return again(reply, { status: operation.status, body: null });
    rememberCaller(request, { ...caller, repeatable: begun });
    const body: unknown = await lastValueFrom(next.handle(), { defaultValue: undefined });
    // The effect is on disk: an answer that can't be kept is made anew for whoever asks again.
    await this.requests.end(keyed, { status: operation.status, body }).catch((error: unknown) => {
      this.log.warn({ err: error }, "an idempotent request's answer was not kept");
    });
    return body;
  }
}

function again(reply: FastifyReply, { status, body }: KnownAnswer): unknown {
  void reply.header('idempotent-replayed', 'true').status(status);
  return body ?? undefined;
}

/** @throws {Fault} badRequest */
function keyedRequest(request: FastifyRequest): KeyedRequest | undefined {
  const { method, url, body, headers } = request;
  const key = headers['idempotency-key'];
  const caller = callerOf(request);
  if (key === undefined || !changing.includes(method) || !caller) return undefined;
  if (typeof key !== 'string' || !/^[\x21-\x7e]{1,255}$/.test(key)) {
    throw new Fault('badRequest', 'Idempotency-Key: must be 1 to 255 visible ASCII characters, such as a UUID.');
  }
  const [path = ''] = url.split('?', 1);
  return { accountId: caller.accountId, key, method, path, body };
}
