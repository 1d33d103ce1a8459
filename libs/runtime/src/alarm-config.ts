/** What operators are told of without asking: metrics of single schedules, and the heartbeat of the schedulers. */
import { isLoopbackHost } from './addresses.js';
import * as alarms from './settings/alarms.js';
import type { ConfigProblem, GivenSettings } from './settings/given-settings.js';
import { allowPlaintext } from './settings/transport.js';

export interface AlarmConfig {
  /** How many schedules have metrics of their own. */
  metricSchedules: number;
  /** Where a scheduler tells that it looks for due slots. */
  heartbeatUrl?: URL | undefined;
}

export function alarmsOf(given: GivenSettings): AlarmConfig {
  return { metricSchedules: given.value(alarms.metricSchedules), heartbeatUrl: given.valueIfSet(alarms.heartbeatUrl) };
}

/** The URL is a secret, so it does not go through networks in clear. */
export function problemsOfHeartbeat(given: GivenSettings): ConfigProblem[] {
  const url = given.valueIfSet(alarms.heartbeatUrl);
  const isAllowed = given.valueIfSet(allowPlaintext)?.has('heartbeat') ?? false;
  if (!url || url.protocol === 'https:' || isLoopbackHost(url.hostname) || isAllowed) return [];
  const problem = `leads to ${url.hostname} by http, and would go there in clear; use https, or set ${allowPlaintext.name} to heartbeat`;
  return [{ variable: alarms.heartbeatUrl.name, problem }];
}
