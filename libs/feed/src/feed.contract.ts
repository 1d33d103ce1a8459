/** What every feed promises its handlers, as one suite that each of them passes on real services. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type EventData, type RecordedEvent, streamOf } from '@strongroom/contracts';
import { createDataSource, migrate } from '@strongroom/database';
import { Ledger } from '@strongroom/ledger';
import { createLogger, type Ids, type Logger, Metrics, RandomIds } from '@strongroom/runtime';
import type { DataSource } from 'typeorm';
import { createTestDatabase, type TestDatabase } from '../../../test/services/database.js';
import { eventually } from '../../../test/services/eventually.js';
import { FeedContext } from './feed-context.js';
import type { FeedServer } from './feed-server.js';

export interface FeedParts {
  dataSource: DataSource;
  ledger: Ledger;
  ids: Ids;
  log: Logger;
  metrics: Metrics;
  group: string;
  namespace: string;
}

export interface FeedUnderTest {
  open(parts: FeedParts): FeedServer;
  /** Has the feed bring everything that was brought before once more, as a relay does that died before it could note it. */
  bringAgain(parts: FeedParts): Promise<void>;
  /** Brings what is no event. */
  bringJunk(parts: FeedParts): Promise<void>;
}

type Handler = (event: RecordedEvent, context: FeedContext) => Promise<void>;

const withinMs = 30_000;

export function feedContract(name: string, feed: FeedUnderTest): void {
  describe(`the ${name} feed`, () => {
    let database: TestDatabase;
    let dataSource: DataSource;
    let parts: FeedParts;
    let open: FeedServer[];

    beforeAll(async () => {
      database = await createTestDatabase();
      dataSource = await createDataSource({ url: database.url, applicationName: 'feed-contract' }).initialize();
      await migrate(dataSource);
      await dataSource.query(
        'create table seen (nr bigint generated always as identity, event_id uuid, instance_id uuid, position bigint)',
      );
    });
    afterAll(async () => {
      await dataSource.destroy();
      await database.drop();
    });

    beforeEach(async () => {
      open = [];
      const ids = new RandomIds();
      await dataSource.query('truncate seen');
      parts = {
        dataSource,
        ledger: new Ledger(dataSource),
        ids,
        log: createLogger({ app: 'feed-contract', level: 'silent' }),
        metrics: new Metrics(),
        group: `group-${ids.next()}`,
        namespace: `test-${ids.next()}`,
      };
    });
    afterEach(async () => {
      await Promise.all(open.map((each) => each.close()));
    });

    /** Handles as a projection does: writes with the transaction that moves the offset. */
    const note: Handler = async (event, { manager }) => {
      await manager.query('insert into seen (event_id, instance_id, position) values ($1, $2, $3)', [
        event.id,
        event.instanceId,
        event.position,
      ]);
    };

    async function member(handler: Handler = note): Promise<FeedServer> {
      const server = feed.open({ ...parts, metrics: new Metrics() });
      // Nest gives a handler's arguments as they come; these are the feed's own.
      server.addHandler('ScheduleDeleted', (event: RecordedEvent, context: FeedContext) => handler(event, context));
      await server.listen(() => {});
      open.push(server);
      return server;
    }

    async function leave(server: FeedServer): Promise<void> {
      open = open.filter((each) => each !== server);
      await server.close();
    }

    /** Appends events, `each` for every one of `instances`, and returns their ids. */
    async function append(instances: number, each: number): Promise<string[]> {
      const all = Array.from({ length: instances }, async () => {
        const [instanceId, scheduleId] = [parts.ids.next(), parts.ids.next()];
        const made: string[] = [];
        for (let version = 0; version < each; version += 1) {
          const id = parts.ids.next();
          const data: EventData<'ScheduleDeleted'> = { scheduleId, instanceId };
          await parts.ledger.append({
            stream: streamOf('schedule', scheduleId),
            expectedVersion: version,
            accountId: 'acme',
            instanceId,
            context: { requestId: 'r', correlationId: 'r', causationId: null, actor: 'spec' },
            events: [{ id, type: 'ScheduleDeleted', data }],
            claims: [],
            releases: [],
          });
          made.push(id);
        }
        return made;
      });
      return (await Promise.all(all)).flat();
    }

    const seen = (): Promise<{ event_id: string; instance_id: string; position: string }[]> =>
      dataSource.query('select event_id, instance_id, position from seen order by nr');
    const seenAll = (ids: string[]) =>
      eventually(
        async () => expect((await seen()).map(({ event_id }) => event_id)).toEqual(expect.arrayContaining(ids)),
        { withinMs },
      );

    async function eachOnce(ids: string[]): Promise<void> {
      await seenAll(ids);
      const own = (await seen()).map(({ event_id }) => event_id).filter((id) => ids.includes(id));
      expect([...own].sort()).toEqual([...ids].sort());
    }

    async function inOrder(): Promise<void> {
      const last = new Map<string, number>();
      for (const { instance_id, position } of await seen()) {
        expect(Number(position)).toBeGreaterThan(last.get(instance_id) ?? 0);
        last.set(instance_id, Number(position));
      }
    }

    it('brings every event once, and those of one instance in order', async () => {
      const before = await append(4, 5);
      await member();
      const after = await append(6, 10);
      await eachOnce([...before, ...after]);
      await inOrder();
    });

    it('goes on where it was after a restart, and brings nothing twice', async () => {
      const first = await member();
      const before = await append(3, 4);
      await seenAll(before);
      await leave(first);
      const meanwhile = await append(3, 4);
      await member();
      const after = await append(3, 4);
      await eachOnce([...before, ...meanwhile, ...after]);
      await inOrder();
    });

    it('has the effect of an event once though it is brought again', async () => {
      await member();
      const ids = await append(4, 5);
      await seenAll(ids);
      await feed.bringAgain(parts);
      const more = await append(4, 2);
      await eachOnce([...ids, ...more]);
    });

    it('brings an event again whose handler broke off, and undoes what it had written', async () => {
      let broken = 0;
      await member(async (event, context) => {
        await note(event, context);
        if (broken < 2) {
          broken += 1;
          throw Object.assign(new Error('the connection broke'), { code: '57P01' });
        }
      });
      await eachOnce(await append(2, 3));
      expect(broken).toBe(2);
    });

    it('sets a message aside that no attempt gets handled, goes on with its partition, and handles it when asked to', async () => {
      let poisonous: string | undefined;
      let cured = false;
      await member(async (event, context) => {
        poisonous ??= event.id;
        if (event.id === poisonous && !cured) throw new TypeError('a mistake in the handler');
        await note(event, context);
      });
      const ids = await append(1, 8);
      await eachOnce(ids.slice(1));
      const letters = 'select id, error from dead_letter where consumer_group = $1';
      const [letter] = await eventually(
        async () => {
          const rows: { id: string; error: string }[] = await dataSource.query(letters, [parts.group]);
          expect(rows).toHaveLength(1);
          return rows;
        },
        { withinMs },
      );
      expect(letter?.error).toContain('a mistake in the handler');

      cured = true;
      await dataSource.query('update dead_letter set replay_asked_at = now() where id = $1', [letter?.id]);
      await eachOnce(ids);
    });

    it('sets aside what is no event', async () => {
      await member();
      await append(1, 1);
      await feed.bringJunk(parts);
      await eachOnce(await append(3, 3));
      await eventually(
        async () =>
          expect(
            await dataSource.query('select 1 from dead_letter where consumer_group = $1', [parts.group]),
          ).toHaveLength(1),
        { withinMs },
      );
    });

    it('waits while the database is away, and loses nothing', async () => {
      await member();
      const before = await append(4, 5);
      await database.cut();
      await database.restore();
      const after = await append(4, 5);
      await eachOnce([...before, ...after]);
      await inOrder();
    });

    it('is shared by the members of a group, and goes on when one of them leaves', async () => {
      const first = await member();
      await member();
      const before = await append(8, 5);
      await seenAll(before);
      await leave(first);
      const after = await append(8, 5);
      await eachOnce([...before, ...after]);
      await inOrder();
    });
  });
}
