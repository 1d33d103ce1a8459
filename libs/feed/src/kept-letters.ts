/** The dead letters of all groups, for whoever looks after a deployment: which there are, and that they are to be replayed. */
import type { DataSource } from 'typeorm';
import { z } from 'zod';

const instant = z.date().transform((date) => date.toISOString());
const letter = z.object({
  id: z.string(),
  group: z.string(),
  topic: z.string(),
  partition: z.int(),
  offset: z.string(),
  /** The position that the message tells; null when it tells none. A stranger may have written it. */
  position: z.coerce.number().nullable(),
  error: z.string(),
  setAsideAt: instant,
  replayAskedAt: instant.nullable(),
  replayedAt: instant.nullable(),
});
export type KeptLetter = z.infer<typeof letter>;
const whole = letter.extend({ message: z.unknown() });

const columns = `id, consumer_group as "group", topic, partition, "offset"::text as "offset", position, error,
  set_aside_at as "setAsideAt", replay_asked_at as "replayAskedAt", replayed_at as "replayedAt"`;

export class KeptLetters {
  constructor(private readonly dataSource: DataSource) {}

  /**
   * The letters that wait, the oldest first.
   * @param withReplayed also those that were replayed in the last 30 days
   * @param limit how many at most
   */
  async list({ withReplayed, limit }: { withReplayed: boolean; limit: number }): Promise<KeptLetter[]> {
    const found: unknown = await this.dataSource.query(
      `select ${columns} from dead_letter where $1 or replayed_at is null order by set_aside_at, id limit $2`,
      [withReplayed, limit],
    );
    return z.array(letter).parse(found);
  }

  /** A letter with its message. @returns undefined when there is none of that id */
  async find(id: string): Promise<z.infer<typeof whole> | undefined> {
    const found: unknown = await this.dataSource.query(`select ${columns}, message from dead_letter where id = $1`, [
      id,
    ]);
    return z.array(whole).max(1).parse(found)[0];
  }

  /**
   * Has the groups handle letters again, within seconds. Those that were replayed already are left as they are. When a letter fails again, its group
   * takes the mark away.
   * @returns the ids of those that are marked now
   */
  async askReplay(ids: readonly string[]): Promise<string[]> {
    const found: unknown = await this.dataSource.query(
      `with marked as (
         update dead_letter set replay_asked_at = now() where id = any($1) and replayed_at is null returning id
       ) select id from marked`,
      [ids],
    );
    return z
      .array(z.object({ id: z.string() }))
      .parse(found)
      .map(({ id }) => id);
  }
}
