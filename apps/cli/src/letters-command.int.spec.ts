import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { DataSource } from 'typeorm';
import { connectTestDatabase, type TestDatabase } from '../../../test/services/database.js';
import { eventually } from '../../../test/services/eventually.js';
import { runStrongroom } from '../../../test/services/run-strongroom.js';

describe('strongroom dead-letters', () => {
  let database: TestDatabase;
  let source: DataSource;
  beforeAll(async () => {
    ({ database, dataSource: source } = await connectTestDatabase({ applicationName: 'letters-spec' }));
  }, 60_000);
  afterAll(async () => {
    await source.destroy();
    await database.drop();
  });

  const run = (...args: string[]) =>
    runStrongroom(['dead-letters', ...args], { STRONGROOM_DATABASE_URL: database.url });

  /** A letter as a service sets it aside. */
  async function setAside(offset: number): Promise<string> {
    const id = randomUUID();
    await source.query(
      `insert into dead_letter (id, consumer_group, source, topic, partition, "offset", position, message, error)
       values ($1, 'a-group', 'a-source', 'a-topic', 0, $2, 7, '{"value": "x"}', 'Error: the cause')`,
      [id, offset],
    );
    return id;
  }
  /** What the group does with a letter that it is asked for. */
  const answer = (id: string, change: string) =>
    eventually(
      async () => {
        const found: unknown[] = await source.query(
          'select from dead_letter where id = $1 and replay_asked_at is not null',
          [id],
        );
        expect(found).toHaveLength(1);
        await source.query(`update dead_letter set ${change} where id = $1`, [id]);
      },
      { withinMs: 30_000 },
    );

  it('shows what was set aside and why, and has it handled again', async () => {
    expect(await run('list')).toMatchObject({ code: 0, stdout: '', output: 'There are none.\n' });
    const [id, other] = [await setAside(1), await setAside(2)];
    expect((await run('list')).stdout).toMatch(new RegExp(`^ID .*\n${id}  .*  waits  .*the cause\n${other} `));
    expect((await run('show', id)).stdout).toContain('Error: the cause');
    expect(JSON.parse((await run('show', id, '--json')).stdout)).toMatchObject({
      id,
      position: 7,
      message: { value: 'x' },
    });

    const [failed] = await Promise.all([run('replay', id, '--wait'), answer(id, 'replay_asked_at = null')]);
    expect(failed).toMatchObject({ code: 1, stdout: '', output: expect.stringContaining('failed again. See the log') });
    const [handled] = await Promise.all([run('replay', id, '--wait', '--json'), answer(id, 'replayed_at = now()')]);
    expect(handled).toMatchObject({
      code: 0,
      output: `${handled.stdout}1 letter is handled again within seconds.\nIt was handled.\n`,
    });
    expect(JSON.parse(handled.stdout)).toEqual({ asked: [id], handled: [id], failedAgain: [], notWaiting: [] });
    expect((await run('list', '--replayed', '--plain')).stdout).toContain('\treplayed\t');
    expect(JSON.parse((await run('list', '--json')).stdout)).toMatchObject({ deadLetters: [{ id: other }] });
    const gone = await run('replay', id, '--json');
    expect(gone).toMatchObject({ code: 10, output: expect.stringContaining('No letter waits') });
    expect(JSON.parse(gone.stdout)).toMatchObject({ asked: [], notWaiting: [id] });
    expect(await run('replay', '--all')).toMatchObject({
      code: 0,
      stdout: '',
      output: expect.stringContaining('1 letter is'),
    });
  }, 120_000);

  it('refuses a call that is wrong, and tells of a letter that is not there', async () => {
    for (const [args, code, why] of [
      [['replay'], 2, 'Name the letters'],
      [['replay', randomUUID(), '--all'], 2, 'Name the letters'],
      [['replay', 'a'], 2, 'It must be a UUID'],
      [['list', '--limit', '0'], 2, 'an integer of at least 1'],
      [['show', randomUUID()], 10, 'There is no dead letter'],
    ] as const) {
      const ran = await run(...args);
      expect([args, ran.code, ran.output]).toEqual([args, code, expect.stringContaining(why)]);
    }
  }, 60_000);
});
