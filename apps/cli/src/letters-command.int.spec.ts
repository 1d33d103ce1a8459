import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { FeedWorld } from '../../../libs/feed/fixtures/feed-world.js';
import { eventually } from '../../../test/services/eventually.js';
import { runStrongroom } from '../fixtures/run-strongroom.js';

describe('strongroom dead-letters', () => {
  let world: FeedWorld;
  let isMended = false;
  beforeAll(async () => {
    world = await FeedWorld.create({ kind: 'embedded' });
    await world.member({
      also: async () => {
        if (!isMended) throw new Error('the cause');
      },
    });
  }, 60_000);
  afterAll(() => world.remove());

  const run = (...args: string[]) =>
    runStrongroom(['dead-letters', ...args], { STRONGROOM_DATABASE_URL: world.databaseUrl });
  const waiting = async () => JSON.parse((await run('list', '--json')).stdout).deadLetters;

  it('shows what was set aside and why, and has it handled again, once', async () => {
    expect(await run('list')).toMatchObject({ code: 0, stdout: '', output: 'There are none.\n' });
    const [event] = await world.append(world.ids.next());
    await eventually(async () => expect(await waiting()).toHaveLength(1), { withinMs: 30_000 });
    const [{ id }] = await waiting();
    expect(await run('list')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(`${id}  .*  waits  .*the cause\n$`),
    });
    expect((await run('show', id)).stdout).toContain('Error: the cause');
    expect(JSON.parse((await run('show', id, '--json')).stdout)).toMatchObject({
      id,
      replayedAt: null,
      position: 1,
      message: { value: { id: event } },
    });

    expect(await run('replay', id, '--wait')).toMatchObject({
      code: 1,
      output: expect.stringContaining('failed again'),
    });
    expect(await world.effects()).toEqual([]);

    isMended = true;
    expect(await run('replay', '--all', '--wait')).toMatchObject({
      code: 0,
      stdout: '1 letter is handled again within seconds.\nIt was handled.\n',
    });
    expect((await world.effects()).map(({ eventId }) => eventId)).toEqual([event]);
    expect(await waiting()).toEqual([]);
    expect((await run('list', '--replayed', '--plain')).stdout).toContain('\treplayed\t');
    expect(await run('replay', id)).toMatchObject({ code: 10, output: expect.stringContaining('No letter waits') });
  }, 120_000);

  it('refuses a call that is wrong, and tells of a letter that is not there', async () => {
    for (const [args, code, why] of [
      [['replay'], 2, 'Name the letters'],
      [['replay', world.ids.next(), '--all'], 2, 'Name the letters'],
      [['replay', 'a'], 2, 'It must be a UUID'],
      [['list', '--limit', '0'], 2, 'an integer of at least 1'],
      [['show', world.ids.next()], 10, 'There is no dead letter'],
    ] as const) {
      const ran = await run(...args);
      expect([args, ran.code, ran.output]).toEqual([args, code, expect.stringContaining(why)]);
    }
  }, 60_000);
});
