/** What a request asks of an operation, for the method that answers it. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type Caller, callerOf } from './caller.js';

export class Asked {
  constructor(
    readonly request: FastifyRequest,
    readonly reply: FastifyReply,
  ) {}

  /** Who calls. @throws {TypeError} on a route that belongs to no account */
  get caller(): Caller {
    const caller = callerOf(this.request);
    if (!caller) throw new TypeError('the route belongs to no account');
    return caller;
  }

  /** It is not parsed by the contract's schema yet; undefined when there is none. */
  get body(): unknown {
    return this.request.body;
  }

  /** The `{id}` in the path. */
  get id(): string {
    return this.part('id');
  }

  get ifMatch(): string | undefined {
    return this.request.headers['if-match'];
  }

  /** A part of the path that the operation names. */
  part(name: string): string {
    return String(Object.getOwnPropertyDescriptor(this.request.params, name)?.value);
  }

  /** Whether a part of the path is empty: then there is nothing at it. */
  lacksPart(): boolean {
    const { params } = this.request;
    if (typeof params !== 'object' || params === null) return false;
    for (const part of Object.values(params)) if (part === '') return true;
    return false;
  }
}
