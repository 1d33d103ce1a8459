/** The routes of the console: its page and its files, and the session of whoever signs in. All else it asks of the API as any client does. */
import { Controller, Inject } from '@nestjs/common';
import {
  type ConsoleSession,
  deleteConsoleSession,
  getConsole,
  getConsoleAssetsFile,
  getConsoleSession,
  postConsoleSession,
  rights,
} from '@strongroom/contracts';
import { hasRight, type Principal } from '@strongroom/identity';
import { type AppConfig, configToken } from '@strongroom/runtime';
import type { Asked } from '../edge/asked.js';
import { Authentication } from '../edge/authentication.js';
import { HttpFault } from '../edge/http-fault.js';
import { Handles, partsOf } from '../edge/routing.js';
import { Sessions, tokenOf } from '../edge/sessions.js';
import { utc } from '../edge/times.js';
import { ConsoleFiles, consolePolicy } from './console-files.js';

const neverKept = { 'cache-control': 'no-store' };

@Controller()
export class ConsoleRoutes {
  constructor(
    @Inject(ConsoleFiles) private readonly files: ConsoleFiles,
    @Inject(Sessions) private readonly sessions: Sessions,
    @Inject(Authentication) private readonly authentication: Authentication,
    @Inject(configToken) private readonly config: Pick<AppConfig, 'roles'>,
  ) {}

  @Handles(getConsole)
  page({ request, reply }: Asked): string {
    const page = this.files.page(partsOf(request).path.endsWith('/'));
    void reply.type('text/html; charset=utf-8').headers({
      'content-security-policy': consolePolicy,
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
      // The next version has files of other names.
      'cache-control': 'no-cache',
    });
    return page;
  }

  @Handles(getConsoleAssetsFile)
  asset(asked: Asked) {
    const { request, reply } = asked;
    const gzipped = /\bgzip\b/.test(request.headers['accept-encoding'] ?? '');
    const { type, content } = this.files.file(asked.part('file'), gzipped);
    void reply.type(type).headers({
      'cache-control': 'public, max-age=31536000, immutable',
      'x-content-type-options': 'nosniff',
      vary: 'accept-encoding',
      ...(gzipped && { 'content-encoding': 'gzip' }),
    });
    return content;
  }

  @Handles(postConsoleSession)
  async signIn({ request, reply }: Asked): Promise<{ session: ConsoleSession }> {
    this.sessions.mustBeOwn(request);
    // A session makes no new one: it would never end.
    const token = tokenOf({ headers: request.headers, session: undefined });
    const principal = token === undefined ? undefined : await this.authentication.principalOf(request);
    if (token === undefined || !principal) {
      throw new HttpFault('unauthorized', 'Send a token in X-Auth-Token.', {}, undefined, { because: 'unauthorized' });
    }
    const { cookie, untilMs } = this.sessions.begin(request, token);
    void reply.headers({ ...neverKept, 'set-cookie': cookie });
    return { session: this.shown(principal, untilMs) };
  }

  @Handles(getConsoleSession)
  async session({ request, reply }: Asked): Promise<{ session: ConsoleSession }> {
    void reply.headers(neverKept);
    const session = this.sessions.of(request);
    if (!session) throw new HttpFault('unauthorized', 'Nobody has signed in here.', {}, undefined);
    return { session: this.shown(await this.authentication.principalOf(request), session.untilMs) };
  }

  @Handles(deleteConsoleSession)
  signOut({ request, reply }: Asked): void {
    this.sessions.mustBeOwn(request);
    void reply.headers({ ...neverKept, 'set-cookie': this.sessions.end(request) });
  }

  private shown(principal: Principal, untilMs: number): ConsoleSession {
    return {
      account_id: principal.accountId,
      name: principal.name,
      rights: rights.filter((right) => hasRight(principal, right, this.config.roles)),
      expires_at: utc(new Date(untilMs)),
    };
  }
}
