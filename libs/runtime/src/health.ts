/**
 * Tells over HTTP whether the process is alive, whether it can do its work, and what it measures. Alive means only that the
 * event loop runs, so an outage of something that the process depends on never causes a restart. A service that clients reach tells
 * them no more than whether it is ready: its private port tells the rest.
 */
import { Controller, Get, Inject, type OnModuleDestroy, Res } from '@nestjs/common';
import { messageOf } from '@strongroom/contracts';
import type { FastifyReply } from 'fastify';
import type { AppConfig } from './config.js';
import { configToken } from './injected.js';
import type { Logger } from './log.js';
import { Metrics, within } from './metrics.js';

export type CheckResult = { ok: true; ms: number } | { ok: false; ms: number; problem: string };

export interface Readiness {
  status: 'ready' | 'not-ready' | 'stopping';
  checks: Record<string, CheckResult>;
  /** What the process does without at the moment, in whole sentences. It is ready all the same. Left out when there is nothing. */
  degraded?: Record<string, string[]>;
}

interface ReadinessCheck {
  check: () => Promise<void>;
  withinMs: number;
  inHand: Promise<void> | undefined;
}

const defaultWithinMs = 3_000;
/** So old may be what strangers are told: else each of their questions would cost queries. */
const toldForMs = 1_000;

export class Health implements OnModuleDestroy {
  private readonly checks = new Map<string, ReadinessCheck>();
  private readonly degradations = new Map<string, () => string[] | Promise<string[]>>();
  private stopping = false;
  private known: string | undefined;
  private told: { status: Promise<Readiness['status']>; untilMs: number } | undefined;

  constructor(private readonly log?: Logger) {}

  /**
   * Adds a check of something that the process needs for its work.
   * @param check throws when it is not there; the message is shown to operators
   */
  addReadiness(name: string, check: () => Promise<void>, { withinMs = defaultWithinMs } = {}): void {
    if (this.checks.has(name))
      throw new Error(`readiness check ${name} is there already; give the second a name of its own`);
    this.checks.set(name, { check, withinMs, inHand: undefined });
  }

  /** Adds what the process can do without for a while. @param tell the sentences that operators are shown, none when all is well */
  addDegradation(name: string, tell: () => string[] | Promise<string[]>): void {
    if (this.degradations.has(name)) throw new Error(`degradation ${name} is there already; give it another name`);
    this.degradations.set(name, tell);
  }

  async readiness(): Promise<Readiness> {
    if (this.stopping) return { status: 'stopping', checks: {} };
    const results = await Promise.all(
      [...this.checks].map(async ([name, check]) => [name, await judge(check)] as const),
    );
    const problems = results.flatMap(([name, result]) => (result.ok ? [] : [`${name}: ${result.problem}`]));
    this.tellChange(problems.join('; '));
    const degraded = await this.degraded();
    return {
      status: problems.length === 0 ? 'ready' : 'not-ready',
      checks: Object.fromEntries(results),
      ...(Object.keys(degraded).length > 0 && { degraded }),
    };
  }

  /** What can't be told now is left out: what the telling needs has a check of its own. */
  private async degraded(): Promise<Record<string, string[]>> {
    const told = await Promise.all(
      [...this.degradations].map(async ([name, tell]) => {
        const sentences = await within(defaultWithinMs, async () => tell()).catch(() => []);
        return [name, sentences] as const;
      }),
    );
    return Object.fromEntries(told.filter(([, sentences]) => sentences.length > 0));
  }

  /** What anybody may ask for as often as he likes. It is a second old at most, and at once when the process stops. */
  async statusForAll(): Promise<Readiness['status']> {
    if (this.stopping) return 'stopping';
    if (!this.told || this.told.untilMs <= performance.now()) {
      const status = this.readiness().then((readiness) => readiness.status);
      this.told = { status, untilMs: Number.POSITIVE_INFINITY };
      const told = this.told;
      const counts = () => {
        told.untilMs = performance.now() + toldForMs;
      };
      void status.then(counts, counts);
    }
    return this.told.status;
  }

  onModuleDestroy(): void {
    this.stopping = true;
  }

  private tellChange(problems: string): void {
    if (problems === (this.known ?? '')) return;
    this.known = problems;
    if (problems) this.log?.warn(`not ready: ${problems}`);
    else this.log?.info('ready again');
  }
}

/** A check that hangs is not begun a second time: the next caller waits for the same one. */
async function judge(one: ReadinessCheck): Promise<CheckResult> {
  const begun = performance.now();
  const ms = () => Math.round(performance.now() - begun);
  try {
    one.inHand ??= one.check().finally(() => {
      one.inHand = undefined;
    });
    const { inHand } = one;
    await within(one.withinMs, () => inHand);
    return { ok: true, ms: ms() };
  } catch (error) {
    return { ok: false, ms: ms(), problem: messageOf(error) };
  }
}

/** What anybody may know. The details name what the service needs and what is wrong with it. */
export type ShownReadiness = Readiness | Pick<Readiness, 'status'>;

@Controller()
export class HealthController {
  constructor(
    @Inject(Health) private readonly health: Health,
    @Inject(configToken) private readonly config: Pick<AppConfig, 'privateHttp'>,
  ) {}

  @Get('health/live')
  live(): { status: 'alive' } {
    return { status: 'alive' };
  }

  @Get('health/ready')
  async ready(@Res({ passthrough: true }) reply: FastifyReply): Promise<ShownReadiness> {
    const isForAll = this.config.privateHttp !== undefined;
    const readiness = isForAll ? { status: await this.health.statusForAll() } : await this.health.readiness();
    reply.header('cache-control', 'no-store').status(readiness.status === 'ready' ? 200 : 503);
    return readiness;
  }
}

/** Only where clients do not reach the port of the service. */
@Controller()
export class MetricsController {
  constructor(@Inject(Metrics) private readonly metrics: Metrics) {}

  @Get('metrics')
  async measurements(@Res({ passthrough: true }) reply: FastifyReply): Promise<string> {
    reply.header('content-type', this.metrics.registry.contentType);
    return this.metrics.text();
  }
}
