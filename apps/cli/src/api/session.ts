/**
 * One command that asks a service: its client, its end by a signal, and what it says of a refusal. An operation of the contract becomes a call
 * here, and every message of a refusal names the next command.
 */
import { ApiFault, type Asked, type CallOptions, Client, type RequestParts, type ResponseOf } from '@strongroom/client';
import { isOfAccount, messageOf, type Operation, pathOf, whyNotFetched } from '@strongroom/contracts';
import { AdvisedFault, Interrupted } from '../exit-codes.js';
import { say, sayJson } from '../output.js';
import { UsageFault } from '../usage-fault.js';
import type { ApiOptions, ChangeOptions } from './api-options.js';
import { type Connection, connectionOf } from './connection.js';

/** By what a command is about: its own words, and the command that shows what there is of it. */
const nouns = {
  schedule: { words: 'schedule', shownBy: 'strongroom schedule list' },
  backup: { words: 'backup', shownBy: 'strongroom backup list' },
  instance: { words: 'instance', shownBy: 'strongroom instance list' },
  webhook: { words: 'webhook', shownBy: 'strongroom webhook list' },
  region: { words: 'region', shownBy: 'strongroom region list' },
  event: { words: 'events', shownBy: 'strongroom events tail --since start' },
  anything: { words: 'explain', shownBy: 'strongroom schedule list, strongroom backup list' },
  path: { words: 'api', shownBy: 'strongroom api /openapi.json' },
  file: { words: 'apply', shownBy: 'strongroom schedule list' },
  login: { words: 'login', shownBy: 'strongroom profile list' },
} as const;
export type Noun = keyof typeof nouns;

/** Fields of a body that no command prints. */
const secrets: ReadonlySet<string> = new Set(['password', 'client_key', 'url']);

export class Session {
  constructor(
    readonly client: Client,
    readonly connection: Connection,
    private readonly noun: Noun,
    private readonly options: ApiOptions & ChangeOptions,
    /** Ends what is going on, when the user does. */
    readonly signal: AbortSignal,
  ) {}

  /** Calls an operation. @throws {ApiFault} */
  async ask<const O extends Operation>(operation: O, asked: Asked<O>): Promise<ResponseOf<O>> {
    const { body } = await this.client.perform(operation, { ...asked, signal: this.signal });
    return body;
  }

  /**
   * Calls an operation that changes something; with `--dry-run`, prints the request and gives undefined.
   * @throws {ApiFault}
   * @throws {UsageFault} when the contract does not have such a body
   */
  async change<const O extends Operation>(
    operation: O,
    asked: Asked<O> & Pick<CallOptions, 'ifMatch' | 'idempotencyKey'>,
  ): Promise<{ body: ResponseOf<O> } | undefined> {
    const parts: RequestParts = { ...asked };
    const checked = operation.request?.safeParse(parts.body);
    if (checked?.error) {
      const issues = checked.error.issues.map(
        ({ path, message }) => `${String(path.at(-1) ?? 'the request')}: ${message}`,
      );
      throw new UsageFault(`${issues.join('; ')}. See how it is called: strongroom ${nouns[this.noun].words} --help`);
    }
    if (!this.options.dryRun) return this.client.perform(operation, { ...asked, signal: this.signal });
    this.showRequest(operation.method, this.pathOf(operation, parts), parts.body);
    return undefined;
  }

  private pathOf(operation: Operation, { id }: RequestParts): string {
    const account = isOfAccount(operation) ? { accountId: this.connection.account } : {};
    return pathOf(operation, { ...account, ...(id !== undefined && { id }) });
  }

  /** Prints a request that is not sent, without its passwords and keys. */
  showRequest(method: string, path: string, body: unknown): void {
    const shown: unknown = body === undefined ? undefined : JSON.parse(JSON.stringify(body, hidden));
    if (this.options.json) sayJson({ method, path, ...(body !== undefined && { body: shown }) }, 2);
    else say(`${method} ${path}${body === undefined ? '' : ` ${JSON.stringify(shown)}`}`);
  }
}

function hidden(name: string, value: unknown): unknown {
  return secrets.has(name) ? '(not shown)' : value;
}

/** Does the work of a command with a service, until it is done or the user ends it. */
export async function inSession(
  options: ApiOptions & ChangeOptions,
  noun: Noun,
  work: (session: Session) => Promise<void>,
): Promise<void> {
  const connection = await connectionOf(options);
  await asking(connection, noun, async (signal) => {
    const { url, account, token } = connection;
    const client = new Client({ baseUrl: url, accountId: account, token });
    await work(new Session(client, connection, noun, options, signal));
  });
}

/** Does work with a service, and says of its failure what to do next. */
export async function asking(
  connection: Connection,
  noun: Noun,
  work: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const ending = new AbortController();
  const ends = (signal: string) => ending.abort(new Interrupted(signal));
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, ends);
  try {
    await work(ending.signal);
  } catch (error) {
    if (ending.signal.aborted) throw ending.signal.reason;
    if (error instanceof ApiFault)
      throw new AdvisedFault(`${error.message} ${adviceOn(error, noun, connection)}`, error);
    const why = whyNotFetched(error);
    if (why !== messageOf(error))
      throw new AdvisedFault(
        `${connection.url} does not answer: ${why}. See the address: strongroom profile list`,
        error,
      );
    throw error;
  } finally {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.removeListener(signal, ends);
  }
}

function adviceOn(error: ApiFault, noun: Noun, { profile, url, account }: Connection): string {
  const { words, shownBy } = nouns[noun];
  const signIn = `strongroom login ${profile === undefined ? `--url ${url} --account ${account}` : `--profile ${profile}`}`;
  const { code, retryAfterSeconds, requestId } = error;
  if (retryAfterSeconds !== undefined) return `Try again in ${retryAfterSeconds} s.`;
  if (code === 'unauthorized') return `Sign in again: ${signIn}`;
  if (code === 'forbidden') return `Sign in with another token: ${signIn}`;
  if (code === 'instanceFault') return `The log of the service tells of request ${requestId}.`;
  if (code === 'foreign-answer') return 'See the address of the service: strongroom profile list';
  if (code === 'badRequest' || code === 'unprocessableEntity')
    return `See how it is called: strongroom ${words} --help`;
  return `See what there is: ${shownBy}`;
}
