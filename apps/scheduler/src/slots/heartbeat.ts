/**
 * Tells somebody outside of the deployment that this scheduler looks for due slots, as healthchecks.io has it. Silence is the alarm, which
 * also comes when the whole deployment is gone. What fails here is the notifier's: no backup waits for it, and none is told to have failed.
 */
import { messageOf } from '@strongroom/contracts';
import { type Logger, type Metrics, WorkLoop } from '@strongroom/runtime';

export interface HeartbeatParts {
  url: URL;
  /** Rejects while the looks for due slots fail. */
  probe: () => Promise<void>;
  metrics: Metrics;
  log: Logger;
  /** A clock that never goes back, in milliseconds. */
  now?: () => number;
}

const everyMs = 60_000;
/** A failed look is looked at again after this time. */
const againMs = 10_000;
/** So long looks may fail until it is told: a database that changes its primary is no alarm. */
const patienceMs = 30_000;
const longestMs = 10_000;

export class Heartbeat {
  private readonly sent;
  private failingSince: number | undefined;

  constructor(private readonly parts: HeartbeatParts) {
    this.sent = parts.metrics.counter({
      name: 'strongroom_heartbeats_total',
      help: 'Heartbeats of this process by what became of them: taken or failed.',
      labels: ['outcome'],
    });
    for (const outcome of ['taken', 'failed']) this.sent.inc({ outcome }, 0);
  }

  /** @throws when nobody takes the heartbeat */
  async beat(signal?: AbortSignal): Promise<{ nextInMs: number }> {
    const { probe, now = () => performance.now() } = this.parts;
    const why = await probe().then(() => undefined, messageOf);
    if (why === undefined) {
      this.failingSince = undefined;
      return this.tell(this.parts.url, signal);
    }
    this.failingSince ??= now();
    if (now() - this.failingSince < patienceMs) return { nextInMs: againMs };
    return this.tell(failing(this.parts.url), signal);
  }

  private async tell(url: URL, stopping: AbortSignal | undefined): Promise<{ nextInMs: number }> {
    const signal = AbortSignal.any([AbortSignal.timeout(longestMs), ...(stopping ? [stopping] : [])]);
    try {
      const answer = await fetch(url, { signal, redirect: 'error', headers: { 'cache-control': 'no-cache' } });
      await answer.body?.cancel();
      if (!answer.ok) throw new Error(`${url.host} answers ${answer.status}`);
      this.sent.inc({ outcome: 'taken' });
      return { nextInMs: everyMs };
    } catch (cause) {
      if (stopping?.aborted) throw stopping.reason;
      this.sent.inc({ outcome: 'failed' });
      // The rest of the URL is a secret.
      throw new Error(`${url.host} does not take the heartbeat: ${whyNot(cause)}`);
    }
  }
}

/** Runs beside everything else of the scheduler. */
export function heartbeatLoop(parts: HeartbeatParts): WorkLoop {
  const heartbeat = new Heartbeat(parts);
  return new WorkLoop({
    name: 'heartbeat',
    intervalMs: everyMs,
    log: parts.log,
    pass: (signal) => heartbeat.beat(signal),
    firstBackOffMs: 5_000,
    longestBackOffMs: everyMs,
  });
}

function failing(url: URL): URL {
  const other = new URL(url);
  other.pathname = `${url.pathname.replace(/\/+$/, '')}/fail`;
  return other;
}

/** What lies behind "fetch failed". */
function whyNot(error: unknown): string {
  return error instanceof Error && error.cause !== undefined ? messageOf(error.cause) : messageOf(error);
}
