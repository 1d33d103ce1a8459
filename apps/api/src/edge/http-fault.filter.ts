/** Answers every error that is thrown on the way of a request as a fault of the contract. An unforeseen error is a 500, and is logged. */
import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException } from '@nestjs/common';
import { allowedOn } from '@strongroom/contracts';
import { IdentityFault } from '@strongroom/identity';
import type { Logger } from '@strongroom/runtime';
import type { FastifyReply, FastifyRequest } from 'fastify';

import { awayFaultOf } from './away-fault.js';
import { HttpFault, unavailable } from './http-fault.js';
import { pathAsked } from './routing.js';

@Catch()
export class HttpFaultFilter implements ExceptionFilter {
  /** @param refused is told of each request that is answered with a fault, to note who was refused */
  constructor(
    private readonly log: Logger,
    private readonly refused: (request: FastifyRequest, fault: HttpFault) => void = () => {},
  ) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const request = host.switchToHttp().getRequest<FastifyRequest>();
    const reply = host.switchToHttp().getResponse<FastifyReply>();
    const fault = this.faultOf(error, request);
    this.refused(request, fault);
    if (!reply.sent) answer(reply, fault);
  }

  private faultOf(error: unknown, request: FastifyRequest): HttpFault {
    if (error instanceof HttpFault) return error;
    // A client that broke off has an error of its connection too: it says nothing of the database.
    const status = error instanceof HttpException ? error.getStatus() : statusOfFramework(error);
    if (status !== undefined && status < 500) return ofClient(status, request);
    const away = awayFaultOf(error, request);
    if (away) {
      this.log.warn({ err: error }, 'answered 503');
      return away;
    }
    if (error instanceof IdentityFault) {
      this.log.error({ err: error }, 'answered 503');
      return unavailable('The service that knows the tokens did not answer: nothing was changed. Try again.');
    }
    this.log.error({ err: error }, 'answered 500: this was not foreseen');
    return new HttpFault(
      'instanceFault',
      `The service failed on this request. Its id, ${request.id}, is in the log with the reason.`,
    );
  }
}

export function answer(reply: FastifyReply, { status, headers, body }: HttpFault): void {
  void reply.status(status).headers(headers).type('application/json').send(body);
}

/** The answer to a request that Nest or Fastify refuses before it reaches a route. */
function ofClient(status: number, request: FastifyRequest): HttpFault {
  switch (status) {
    case 404:
      return noRoute(request);
    case 413:
      return new HttpFault('overLimit', 'The body is larger than this service takes (64 KiB).');
    case 415:
      return new HttpFault('badMediaType', 'Send the body as application/json.');
    default:
      return new HttpFault(
        'badRequest',
        'The request is not one that can be read: its type, length or encoding is wrong.',
      );
  }
}

function noRoute(request: FastifyRequest): HttpFault {
  const path = pathAsked(request);
  const allow = allowedOn(path);
  if (allow.length === 0) return new HttpFault('itemNotFound', `There is nothing at ${path.slice(0, 200)}.`);
  return new HttpFault('badMethod', `${request.method} is not allowed here; allowed: ${allow.join(', ')}.`, {
    allow: allow.join(', '),
  });
}

/** The status of an error that Fastify or Node has found in the request; undefined for any other error. */
function statusOfFramework(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || !('statusCode' in error)) return undefined;
  return typeof error.statusCode === 'number' ? error.statusCode : undefined;
}
