/** The calls that ask why something is as it is. All throw an `ApiFault`. */
import { type ExplainedSentence, type ExplanationResource, getExplainId } from '@strongroom/contracts';
import type { CallOptions, QueryOf } from './call.js';
import type { OperationCaller } from './operation-caller.js';

export class ExplanationCalls {
  constructor(private readonly caller: OperationCaller) {}

  /** The answer in short, and its newest sentences. @param id of a schedule, a backup, a copy or an instance */
  async get(
    id: string,
    query: QueryOf<typeof getExplainId> = {},
    options: CallOptions = {},
  ): Promise<ExplanationResource> {
    return (await this.caller.call(getExplainId, { ...options, id, query })).body.explanation;
  }

  /** All sentences, the newest first, read page by page. */
  async *sentences(
    id: string,
    query: QueryOf<typeof getExplainId> = {},
    options: CallOptions = {},
  ): AsyncGenerator<ExplainedSentence> {
    for await (const { explanation } of this.caller.pages(getExplainId, { ...options, id, query })) {
      yield* explanation.sentences.toReversed();
    }
  }
}
