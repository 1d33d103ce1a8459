/**
 * Everything about a kind of job: what asks for it, where it contends, who does it and what is measured of it. An app has a
 * list of kinds. The handlers of events, the workers, the search for missing jobs and the metrics go over that list.
 */
import type { PerEvent } from '@strongroom/contracts';
import type { JobQuota, LeasedJob, NewJob } from './jobs.js';
import type { Hold, Performed } from './leased-worker.js';

/** What an event asks for: a job without its kind, which the descriptor has, and without its account, which the event has. */
export type AskedFor = Omit<NewJob, 'kind' | 'accountId'>;

/** One step of a round over everything that may lack something, such as its job. */
export interface RoundStep<Row = Omit<NewJob, 'kind'>> {
  /** What was found in the step, in order of id. */
  found: Row[];
  /** The id that the step has reached, to go on from; undefined at the end of the round. */
  end: string | undefined;
}

/** `Parts` is what the app's process works with. Every function of the descriptor gets it. */
export interface JobKind<Parts> {
  /** The name of the kind, in table `job` and as a label of metrics. */
  readonly kind: string;
  /**
   * By type of event, the job that it asks for. The entries that `askedWork` of libs/domain has are added in the event's
   * own transaction; any other is added when the feed brings the event.
   */
  readonly queuedBy?: PerEvent<AskedFor | undefined>;
  /** Jobs that are there as long as the deployment is. */
  standing?(parts: Parts): readonly NewJob[];
  /** The lanes that this process works in. Default: the one lane `''`. */
  lanes?(parts: Parts): readonly string[];
  /** How many jobs of a lane this process works on at a time. */
  concurrency(parts: Parts): number;
  /** How many there may be in a lane now, with those in hand, for reasons of what they need. Default: `concurrency`. */
  most?(parts: Parts, lane: string): number;
  /** How many such jobs an account may have in hand, over all processes; the others wait. Default: no limit. */
  quota?(parts: Parts): JobQuota;
  /** How many of them one process may have of an account. Default: no limit. */
  share?(parts: Parts): number;
  /** How often a lane is looked at for jobs, in milliseconds. Default 500. */
  pollMs?(parts: Parts): number;
  /** What should have a job and may have none: the steps of a round, each beyond the id `after`. */
  missing?(parts: Parts, after: string | undefined): Promise<RoundStep>;
  /** Does one job. Throws only when nothing could be recorded; the job is then left to its lease. */
  perform(parts: Parts, job: LeasedJob, hold: Hold): Promise<Performed>;
  /**
   * Measures what no other kind has. How many jobs wait and are in hand is measured of every kind.
   * @param inHand how many jobs of a lane this process works on now
   */
  measure?(parts: Parts, inHand: (lane: string) => number): void;
}
