/** The span of an attempt at a job. It belongs to the trace of the event that has asked for the job. */
import type { EventContext } from '@strongroom/contracts';
import { inSpan } from '../tracing/spans.js';
import type { LeasedJob } from './jobs.js';

/** @param cause the event */
export function inJobSpan<T>(
  { context: { traceparent } }: { context: EventContext },
  { kind, id, lane, attempt }: LeasedJob,
  work: () => Promise<T>,
): Promise<T> {
  const attributes = { 'strongroom.job': id, 'strongroom.attempt': attempt, ...(lane && { 'strongroom.lane': lane }) };
  return inSpan([traceparent], { name: `job ${kind}`, kind: 'consumer', attributes }, work);
}
