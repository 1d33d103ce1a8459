/**
 * The metrics of one app. They have a registry of their own, and not the library's global one, so that two apps in the
 * process of a test stay apart.
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

export interface MetricOptions<L extends string> {
  /** The name ends in the unit: `…_seconds`, `…_bytes`, `…_total`. */
  name: `strongroom_${string}`;
  help: string;
  labels?: readonly L[];
}

export interface GaugeOptions<L extends string> extends MetricOptions<L> {
  /** Measures when the metrics are read. What can't be measured is left out of the answer, and counted as a fault. */
  measure?: (gauge: Gauge<L>) => Promise<void> | void;
}

export interface CounterOptions<L extends string> extends MetricOptions<L> {
  /** The same, for what is counted elsewhere, such as in the database: the counter is reset, and gets the number anew. */
  measure?: (counter: Counter<L>) => Promise<void> | void;
}

const longestMeasureMs = 2_000;

export class Metrics {
  readonly registry = new Registry();
  private readonly faults: Counter<'metric'>;

  constructor({ ofProcess }: { ofProcess: boolean } = { ofProcess: false }) {
    if (ofProcess) collectDefaultMetrics({ register: this.registry });
    this.faults = this.counter({
      name: 'strongroom_metric_faults_total',
      help: 'Metrics that could not be measured when asked for.',
      labels: ['metric'],
    });
  }

  counter<L extends string = never>({ name, help, labels = [], measure }: CounterOptions<L>): Counter<L> {
    const counter: Counter<L> = new Counter<L>({
      name,
      help,
      labelNames: labels,
      registers: [this.registry],
      ...(measure && { collect: () => this.measured(counter, { name, measure, labelled: labels.length > 0 }) }),
    });
    return counter;
  }

  gauge<L extends string = never>({ name, help, labels = [], measure }: GaugeOptions<L>): Gauge<L> {
    const gauge: Gauge<L> = new Gauge<L>({
      name,
      help,
      labelNames: labels,
      registers: [this.registry],
      ...(measure && { collect: () => this.measured(gauge, { name, measure, labelled: labels.length > 0 }) }),
    });
    return gauge;
  }

  histogram<L extends string = never>({ name, help, labels = [], buckets }: MetricOptions<L> & { buckets: number[] }) {
    return new Histogram<L>({ name, help, labelNames: labels, buckets, registers: [this.registry] });
  }

  /** Every metric in Prometheus's text format. */
  text(): Promise<string> {
    return this.registry.metrics();
  }

  private async measured<M extends Gauge<string> | Counter<string>>(
    metric: M,
    { name, measure, labelled }: { name: string; measure: (metric: M) => Promise<void> | void; labelled: boolean },
  ): Promise<void> {
    try {
      await within(longestMeasureMs, async () => measure(metric));
    } catch {
      // A metric without labels would be reset to 0, which would look as if all were well.
      if (labelled) metric.reset();
      else metric.remove();
      this.faults.inc({ metric: name });
    }
  }
}

/** Rejects when the work takes longer. The work goes on, but its result is dropped. */
export async function within<T>(ms: number, work: () => Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const tooLong = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([work(), tooLong]);
  } finally {
    clearTimeout(timer);
  }
}
