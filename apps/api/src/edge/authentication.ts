/** Tells whose the token of a request is. Whoever sends many wrong tokens has to wait. */
import { Inject } from '@nestjs/common';
import { Identity, type Principal } from '@strongroom/identity';
import { clientNetworkOf } from '@strongroom/runtime';
import type { FastifyRequest } from 'fastify';
import { HttpFault } from './http-fault.js';
import { Sessions, tokenOf } from './sessions.js';
import { WrongTokens } from './wrong-tokens.js';

export class Authentication {
  constructor(
    @Inject(Identity) private readonly identity: Identity,
    @Inject(WrongTokens) private readonly wrongTokens: WrongTokens,
    @Inject(Sessions) private readonly sessions: Sessions,
  ) {}

  /**
   * Whose the token in the header is; without one, whose the session is.
   * @throws {HttpFault} unauthorized; forbidden for a session that a page of another origin uses; overLimit after many wrong tokens
   */
  async principalOf(request: FastifyRequest): Promise<Principal> {
    if (request.headers['x-auth-token'] === undefined) request.session = this.sessions.of(request);
    const token = tokenOf(request);
    const { clientAddress } = request;
    const waitSeconds = this.wrongTokens.waitOf(clientAddress);
    if (waitSeconds !== undefined && !this.identity.canJudge(token)) throw tooManyWrong(waitSeconds);
    const principal = await this.identity.authenticate(token, clientNetworkOf(clientAddress));
    if (principal) return principal;
    if (token) this.wrongTokens.count(clientAddress);
    if (token && waitSeconds !== undefined) throw tooManyWrong(waitSeconds);
    throw new HttpFault('unauthorized', whyNobody(request, token), {}, undefined, { because: 'unauthorized' });
  }
}

function whyNobody({ session }: FastifyRequest, token: string | undefined): string {
  if (session) return 'The token of the session is not valid any more. Sign in again.';
  return token ? 'The token in X-Auth-Token is not valid.' : 'Send a token in X-Auth-Token.';
}

function tooManyWrong(seconds: number): HttpFault {
  const message = `Too many wrong tokens came from your address. Ask again in ${seconds} s.`;
  const headers = { 'retry-after': String(seconds) };
  return new HttpFault('overLimit', message, headers, undefined, { because: 'unauthorized' });
}
