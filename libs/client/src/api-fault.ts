/** What a call throws when the service does not do what was asked: the fault of the HTTP contract, as it was answered. */
import { Fault, type FaultType, faultBody, faultTypes } from '@strongroom/contracts';
import type { Answer } from './answer.js';

/** A `foreign-answer` is not in the contract: something between the client and the service may have given it. */
export type ApiFaultCode = FaultType | 'foreign-answer';

/** The statuses by which a proxy says that the service is away. */
const away = [502, 503, 504];

/** Another attempt can help when the answer says when to ask again, or that the service is away. */
export class ApiFault extends Fault<ApiFaultCode> {
  override readonly name = 'ApiFault';

  private constructor(
    code: ApiFaultCode,
    message: string,
    readonly status: number,
    /** After how many seconds the service wants to be asked again; undefined when it does not say. */
    readonly retryAfterSeconds: number | undefined,
    /** The id under which the service's log tells of the request; empty when the answer has none. */
    readonly requestId: string,
    /** Why the account's resources do not allow what was asked: a `RefusalCode`, or one of a newer service. Undefined where that is not the reason. */
    readonly refusal: string | undefined,
    options?: ErrorOptions,
  ) {
    super(code, retryAfterSeconds !== undefined || away.includes(status), message, options);
  }

  /** @param call the method and the path, for the message */
  static of(call: string, answer: Answer): ApiFault {
    const { data: body = {} } = faultBody.safeParse(answer.body);
    const type = faultTypes.find((each) => body[each] !== undefined);
    if (type === undefined) return ApiFault.foreign(call, answer);
    const message = `${call} was answered ${answer.status} ${type}: ${body[type]?.message}`;
    return ApiFault.from(type, message, answer, { refusal: body[type]?.refusal });
  }

  /** @param cause what the schema of the operation found wrong */
  static foreign(call: string, answer: Answer, cause?: unknown): ApiFault {
    const message = `${call} was answered ${answer.status} with what the contract does not have: ${excerptOf(answer.body)}`;
    return ApiFault.from('foreign-answer', message, answer, { cause });
  }

  private static from(
    code: ApiFaultCode,
    message: string,
    { status, headers }: Answer,
    { refusal, ...options }: ErrorOptions & { refusal?: string | undefined },
  ) {
    const seconds = Number.parseInt(headers.get('retry-after') ?? '', 10);
    const retryAfterSeconds = Number.isNaN(seconds) ? undefined : seconds;
    const requestId = headers.get('x-request-id') ?? '';
    return new ApiFault(code, message, status, retryAfterSeconds, requestId, refusal, options);
  }
}

const longestExcerpt = 200;

function excerptOf(body: unknown): string {
  const text = typeof body === 'string' ? body : (JSON.stringify(body) ?? 'nothing');
  return text.length > longestExcerpt ? `${text.slice(0, longestExcerpt)}…` : text;
}
