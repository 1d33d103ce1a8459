/**
 * How an event is told: each has a list of the reasons that it can give, and each reason has a code and a sentence. The tables are
 * complete over the events, so a new event does not compile without its sentence.
 */
import type { Aggregate, EventContext, EventData, EventType, EventTypeOf } from '@strongroom/contracts';

/** One reason that an event of this type can give. */
export interface Reason<T extends EventType> {
  /** A code for programs, which never changes. */
  reason: string;
  /** A name in braces stands for that part of the event, as `wordsOf` writes it. */
  sentence: string;
  /** Whether the event gives this reason. Left out: it does when none before it does. */
  holds?: (data: EventData<T>, context: EventContext) => boolean;
}

/** The last reason of a list has no `holds`: so every event gives one. */
export type ReasonsOf<A extends Aggregate> = {
  readonly [T in EventTypeOf<A>]: readonly [...Reason<T>[], Omit<Reason<T>, 'holds'>];
};
