/** Where the traces of a service are told. */
import { isLoopbackHost } from './addresses.js';
import type { ConfigProblem, GivenSettings } from './settings/given-settings.js';
import * as traces from './settings/traces.js';
import { allowPlaintext } from './settings/transport.js';

export interface TraceConfig {
  /** That of traces alone. */
  url: URL;
  headers: Readonly<Record<string, string>>;
  /** From 0 to 1. */
  sampledShare: number;
  serviceName: string;
}

export function tracesOf(given: GivenSettings): TraceConfig | undefined {
  const endpoint = given.valueIfSet(traces.traceEndpoint);
  if (!endpoint) return undefined;
  return {
    url: new URL(`${endpoint.href.replace(/\/$/, '')}/v1/traces`),
    headers: Object.fromEntries(given.valueIfSet(traces.traceHeaders) ?? []),
    sampledShare: Number(given.value(traces.traceShare)),
    serviceName: given.value(traces.traceService),
  };
}

/** Spans tell who has which servers, and the headers may have a secret. */
export function problemsOfTraces(given: GivenSettings): ConfigProblem[] {
  const url = given.valueIfSet(traces.traceEndpoint);
  const isAllowed = given.valueIfSet(allowPlaintext)?.has('traces') ?? false;
  if (!url || url.protocol === 'https:' || isLoopbackHost(url.hostname) || isAllowed) return [];
  const problem = `leads to ${url.hostname} by http, and would go there in clear; use https, or set ${allowPlaintext.name} to traces`;
  return [{ variable: traces.traceEndpoint.name, problem }];
}
