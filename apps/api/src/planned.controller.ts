/** Operations of the contract that are not built yet: they ask for a token like the others, and answer 501. */
import { Controller, Delete, Get, Post, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { Fault } from './fault.js';
import { type Operation, operations, operationsOn, routeOf } from './operations.js';

const planned = (method: Operation['method']) =>
  operations.filter((operation) => operation.planned && operation.method === method).map(routeOf);

@Controller()
export class PlannedController {
  @Get(planned('GET'))
  get(@Req() request: FastifyRequest): never {
    throw notImplemented(request);
  }

  @Post(planned('POST'))
  post(@Req() request: FastifyRequest): never {
    throw notImplemented(request);
  }

  @Delete(planned('DELETE'))
  remove(@Req() request: FastifyRequest): never {
    throw notImplemented(request);
  }
}

function notImplemented({ method, url }: FastifyRequest): Fault {
  const [path = ''] = url.split('?', 1);
  const operation = operationsOn(path).find((each) => each.planned && (each.method === method || method === 'HEAD'));
  return new Fault('notImplemented', `"${operation?.summary}" is not implemented in this version.`);
}
