/** Everything that is thrown on the way of a request becomes a fault of the contract; what was not foreseen is a 500 and a log line. */
import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException } from '@nestjs/common';
import { CredentialFault } from '@strongroom/credentials';
import { IdentityFault } from '@strongroom/identity';
import { ConflictFault, isOutage } from '@strongroom/ledger';
import type { Logger } from '@strongroom/runtime';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Fault } from './fault.js';
import { operationsOn } from './operations.js';

const retryAfterSeconds = '5';

@Catch()
export class FaultFilter implements ExceptionFilter {
  constructor(private readonly log: Logger) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const request = host.switchToHttp().getRequest<FastifyRequest>();
    const reply = host.switchToHttp().getResponse<FastifyReply>();
    const fault = this.faultOf(error, request);
    if (reply.sent) return;
    void reply.status(fault.status).headers(fault.headers).type('application/json').send(fault.body);
  }

  private faultOf(error: unknown, request: FastifyRequest): Fault {
    if (error instanceof Fault) return error;
    if (isOutage(error) || error instanceof ConflictFault || isNotConnected(error)) {
      this.log.warn({ err: error }, 'answered 503');
      const message =
        'The service is not available at the moment: its database does not answer. Nothing was changed that you were not told of; try again.';
      return new Fault('serviceUnavailable', message, { 'retry-after': retryAfterSeconds });
    }
    if (error instanceof IdentityFault) {
      this.log.error({ err: error }, 'answered 503');
      return new Fault('serviceUnavailable', 'Who is calling could not be found out; try again.', {
        'retry-after': retryAfterSeconds,
      });
    }
    if (error instanceof HttpException) return ofHttp(error.getStatus(), error.message, request);
    const status = statusOfFramework(error);
    if (status !== undefined) return ofHttp(status, error instanceof Error ? error.message : String(error), request);
    this.log.error(
      { err: error },
      error instanceof CredentialFault ? error.message : 'answered 500: this was not foreseen',
    );
    return new Fault(
      'instanceFault',
      `The service failed on this request. Its id, ${request.id}, is in the log with the reason.`,
    );
  }
}

function ofHttp(status: number, message: string, request: FastifyRequest): Fault {
  switch (status) {
    case 404:
      return noRoute(request);
    case 413:
      return new Fault('overLimit', 'The body is larger than this service takes (64 KiB).');
    case 415:
      return new Fault('badMediaType', 'Send a body as application/json.');
    case 503:
      return new Fault('serviceUnavailable', message, { 'retry-after': retryAfterSeconds });
    default:
      return status >= 500
        ? new Fault('instanceFault', 'The service failed on this request.')
        : new Fault('badRequest', `The request can't be read: ${message}.`);
  }
}

function noRoute({ method, url }: FastifyRequest): Fault {
  const path = url.split('?', 1)[0] ?? '';
  const known = operationsOn(path);
  const operation = known.find((each) => each.method === (method === 'HEAD' ? 'GET' : method));
  if (operation?.planned)
    return new Fault('notImplemented', `"${operation.summary}" is not implemented in this version.`);
  if (known.length === 0 || operation) return new Fault('itemNotFound', `There is nothing at ${path.slice(0, 200)}.`);
  const allow = [...new Set(known.map((each) => each.method))].join(', ');
  return new Fault('badMethod', `${method} is not allowed here; allowed: ${allow}.`, { allow });
}

/** The client's errors as Fastify and Node find them, with the status that they mean. */
function statusOfFramework(error: unknown): number | undefined {
  if (error instanceof SyntaxError || error instanceof URIError) return 400;
  if (!(error instanceof Error) || !('statusCode' in error)) return undefined;
  return typeof error.statusCode === 'number' ? error.statusCode : undefined;
}

/** TypeORM before its first connection. */
function isNotConnected(error: unknown): boolean {
  return (
    error instanceof Error && /CannotExecuteNotConnected|Driver not Connected/i.test(`${error.name} ${error.message}`)
  );
}
