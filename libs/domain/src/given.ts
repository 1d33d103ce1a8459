/** For specs of deciders: given(events).when(command) gives events or a refusal. */
import type { Aggregate, Envelope, NewEvent, RecordedEvent } from '@strongroom/contracts';
import { type Decider, type Decision, decide, fold } from './decider.js';

export const account = 'acme';
const context = { requestId: 'request', correlationId: 'request', causationId: null, actor: 'spec' };

/** By place in a stream, what an event of it has. A model test records a hundred million events. */
const places: Pick<Envelope, 'id' | 'position' | 'version' | 'at'>[] = [];

function placeOf(index: number) {
  places[index] ??= {
    id: `00000000-0000-7000-8000-${String(index + 1).padStart(12, '0')}`,
    position: index + 1,
    version: index + 1,
    at: new Date(Date.UTC(2026, 0, 1, 0, 0, index)).toISOString(),
  };
  return places[index];
}

/** Events of one stream, as the ledger would give them back. */
export function recorded(events: NewEvent[], stream = 'stream', accountId = account): RecordedEvent[] {
  return events.map((event, index) => {
    const { id, position, version, at } = placeOf(index);
    const of = '44b277eb-39be-4921-be31-3d61b43651d7';
    return { id, position, stream, version, accountId, instanceId: of, at, context, ...event };
  });
}

export function given<A extends Aggregate, State, Command extends { type: string }>(
  decider: Decider<A, State, Command>,
  events: NewEvent[] = [],
) {
  const state = fold(decider, recorded(events));
  return {
    state,
    when(command: Command) {
      const outcome = decide(decider, command, state);
      return {
        outcome,
        /** The events that were decided, or the code of the refusal. */
        get gives(): NewEvent[] | string {
          return 'refused' in outcome ? outcome.refused : outcome.events;
        },
        get decision(): Decision {
          if ('refused' in outcome) throw new Error(`refused: ${outcome.message}`);
          return outcome;
        },
      };
    },
  };
}
