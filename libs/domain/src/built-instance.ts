/** What is recorded of a server that is built from a backup, beside the end of its build. */
import type { EventData } from '@strongroom/contracts';
import type { Decision } from './decider.js';
import type { InstanceState } from './instance-state.js';
import { storable } from './reason.js';

const nothing = { events: [] };

/** The server could not be built now, and it is tried again. */
export function failBuildAttempt(
  { code, reason, retryAt }: Pick<EventData<'InstanceBuildAttemptFailed'>, 'code' | 'reason' | 'retryAt'>,
  state: InstanceState,
): Decision {
  if (state.is !== 'building') return nothing;
  const { instanceId, backupId } = state;
  const data = { instanceId, backupId, code, reason: storable(reason), retryAt };
  return { events: [{ type: 'InstanceBuildAttemptFailed', data }] };
}

/** Each change is recorded once. */
export function tellServerDown({ code, reason }: { code: string; reason: string }, state: InstanceState): Decision {
  if (state.is !== 'registered' || state.builtFrom === null || state.isDown) return nothing;
  const { instanceId } = state;
  return { events: [{ type: 'InstanceServerDown', data: { instanceId, code, reason: storable(reason) } }] };
}

export function tellServerUp(state: InstanceState): Decision {
  if (state.is !== 'registered' || !state.isDown) return nothing;
  return { events: [{ type: 'InstanceServerUp', data: { instanceId: state.instanceId } }] };
}
