/**
 * The cluster of the broker: its id, which names the source, and its topics. Topics that are missing are made and filled from
 * the start of the ledger. After a failure the cluster is looked at again, because an empty cluster may have taken its place,
 * under another id or the same.
 */
import type { Logger } from '@strongroom/runtime';
import type { Kafka } from 'kafkajs';
import type { DataSource } from 'typeorm';
import { beginAnew } from '../feed-offsets.js';
import { make, problemsOf, wantedTopics } from './topics.js';

export class Cluster {
  private known: Promise<string> | undefined;
  /** The problems of topics that were told already. */
  private readonly told = new Set<string>();

  constructor(
    private readonly kafka: Kafka,
    private readonly dataSource: DataSource,
    private readonly log: Logger,
    private readonly namespace: string,
  ) {}

  /** Returns `kafka:<cluster id>` when the topics are there. */
  source(): Promise<string> {
    this.known ??= this.readSource().catch((error: unknown) => {
      this.forget();
      throw error;
    });
    return this.known;
  }

  forget(): void {
    this.known = undefined;
  }

  private async readSource(): Promise<string> {
    const admin = this.kafka.admin();
    try {
      await admin.connect();
      const { clusterId, brokers } = await admin.describeCluster();
      const source = `kafka:${clusterId}`;
      const there = new Set(await admin.listTopics());
      const wanted = wantedTopics(this.namespace, brokers.length);
      const missing = wanted.filter(({ topic }) => !there.has(topic));
      if (missing.length > 0) {
        // This comes first: if the process ends in between, the topics are still missing, and no relay goes on beyond the gap.
        const lost = await beginAnew(
          this.dataSource,
          source,
          missing.map(({ topic }) => topic),
        );
        if (lost.length > 0)
          this.log.warn({ topics: lost }, 'topics were lost with what they held: they are filled anew');
        await make(admin, missing);
      }
      const old = wanted.filter((topic) => !missing.includes(topic)).map(({ topic }) => topic);
      const looked = old.length > 0 ? await problemsOf(admin, old, brokers.length).catch(() => undefined) : undefined;
      this.tell(looked?.problems ?? []);
      return source;
    } finally {
      await admin.disconnect().catch(() => {});
    }
  }

  private tell(problems: readonly string[]): void {
    for (const problem of problems) {
      if (!this.told.has(problem)) this.log.warn(problem);
      this.told.add(problem);
    }
  }
}
