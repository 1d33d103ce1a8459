/** What a call throws when the service does not do what was asked: the fault of the HTTP contract, as it was answered. */
import { type FaultType, faultBody, faultTypes } from '@strongroom/contracts';
import type { Answer } from './answer.js';

export class ApiFault extends Error {
  override readonly name = 'ApiFault';

  constructor(
    message: string,
    readonly status: number,
    /** Undefined when the answer is none of this API: something between the client and the service gave it. */
    readonly type: FaultType | undefined,
    /** After how many seconds the service wants to be asked again; undefined when it does not say. */
    readonly retryAfterSeconds: number | undefined,
    /** The id under which the service's log tells of the request; empty when there is none. */
    readonly requestId: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }

  /** @param call the method and path, for the message */
  static of(call: string, answer: Answer): ApiFault {
    const type = faultTypes.find((each) => faultIn(answer.body, each) !== undefined);
    const said = type === undefined ? excerptOf(answer.body) : faultIn(answer.body, type)?.message;
    const what = type === undefined ? String(answer.status) : `${answer.status} ${type}`;
    return ApiFault.from(`${call} was answered ${what}: ${said}`, answer, type);
  }

  /** @param cause what the schema of the operation found */
  static unreadable(call: string, answer: Answer, cause: unknown): ApiFault {
    const message = `${call} was answered ${answer.status} with a body that the contract does not have: ${excerptOf(answer.body)}`;
    return ApiFault.from(message, answer, undefined, { cause });
  }

  private static from(
    message: string,
    { status, headers }: Answer,
    type: FaultType | undefined,
    options?: ErrorOptions,
  ): ApiFault {
    const seconds = Number.parseInt(headers.get('retry-after') ?? '', 10);
    const retryAfterSeconds = Number.isNaN(seconds) ? undefined : seconds;
    return new ApiFault(message, status, type, retryAfterSeconds, headers.get('x-request-id') ?? '', options);
  }
}

function faultIn(body: unknown, type: FaultType) {
  return faultBody.safeParse(body).data?.[type];
}

const longestExcerpt = 200;

function excerptOf(body: unknown): string {
  const text = typeof body === 'string' ? body : (JSON.stringify(body) ?? 'nothing');
  return text.length > longestExcerpt ? `${text.slice(0, longestExcerpt)}…` : text;
}
