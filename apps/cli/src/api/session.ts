/**
 * One command that asks a service: its client, its end by a signal, and what it says of a refusal. An operation of the contract becomes a call
 * here, and every message of a refusal names the next command.
 */
import {
  ApiFault,
  type ApiFaultCode,
  type Asked,
  type CallOptions,
  Client,
  type RequestParts,
  type ResponseOf,
} from '@strongroom/client';
import { isOfAccount, messageOf, type Operation, pathOf, whyNotFetched } from '@strongroom/contracts';
import { AdvisedFault, Interrupted, type Next, UsageFault } from '../command-fault.js';
import { endingOfAnswer } from '../endings.js';
import { say, sayJson } from '../output.js';
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
      throw new UsageFault(
        `${issues.join('; ')}.`,
        `See how it is called: strongroom ${nouns[this.noun].words} --help`,
      );
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
    if (error instanceof ApiFault) throw new AdvisedFault(error.message, nextOn(error, noun, connection), error);
    const why = whyNotFetched(error);
    if (why !== messageOf(error))
      throw new AdvisedFault(
        `${connection.url} does not answer: ${why}.`,
        'See the address: strongroom profile list',
        error,
      );
    throw error;
  } finally {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.removeListener(signal, ends);
  }
}

/** What is next after each fault of the contract. Each is a function, because it may name the request or the profile. */
const nextOnFault: Readonly<Record<ApiFaultCode, (told: ToldAnswer) => Next>> = {
  badRequest: seeHelp,
  unauthorized: ({ signIn }) => `Sign in again: ${signIn}`,
  forbidden: ({ signIn }) => `Sign in with another token: ${signIn}`,
  itemNotFound: seeList,
  badMethod: seeHelp,
  conflict: seeList,
  preconditionFailed: seeList,
  overLimit: seeList,
  badMediaType: seeHelp,
  unprocessableEntity: (told) => (told.isRefusal ? seeList(told) : seeHelp(told)),
  instanceFault: ({ requestId }) =>
    `See what the log of the service tells of ${requestId === '' ? 'it' : `request ${requestId}`}.`,
  notImplemented: seeHelp,
  serviceUnavailable: () => 'Try again soon.',
  'foreign-answer': () => 'See the address of the service: strongroom profile list',
};

interface ToldAnswer {
  noun: Noun;
  /** The command that signs in to the service. */
  signIn: string;
  requestId: string;
  /** The call is right, and what there is does not allow it. */
  isRefusal: boolean;
}

function seeHelp({ noun }: ToldAnswer): Next {
  return `See how it is called: strongroom ${nouns[noun].words} --help`;
}

function seeList({ noun }: ToldAnswer): Next {
  return `See what there is: ${nouns[noun].shownBy}`;
}

/** The next command after an answer that is no success, or when to try again. */
export function nextOn(error: ApiFault, noun: Noun, { profile, url, account }: Connection): Next {
  const { code, retryAfterSeconds, requestId, refusal } = error;
  if (retryAfterSeconds !== undefined) return `Try again in ${retryAfterSeconds} s.`;
  if (error.retryable) return 'Try again soon.';
  if (endingOfAnswer(error) === 'busy') return `Run it again later. See how far that is: ${nouns[noun].shownBy}`;
  const place = profile === undefined ? `--url ${url} --account ${account}` : `--profile ${profile}`;
  return nextOnFault[code]({ noun, signIn: `strongroom login ${place}`, requestId, isRefusal: refusal !== undefined });
}
