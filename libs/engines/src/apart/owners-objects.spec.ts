import { PassThrough } from 'node:stream';
import { describe, expect, it } from '@jest/globals';
import { FrameWriter, readFrames } from './frames.js';
import { types } from './messages.js';
import { OwnersObjects } from './owners-objects.js';

describe('the objects that a process asks for', () => {
  function pipes() {
    const [toOwner, toProcess] = [new PassThrough(), new PassThrough()];
    const objects = new OwnersObjects(readFrames(toProcess, 1_000), new FrameWriter(toOwner));
    return { objects, asked: readFrames(toOwner, 1_000), owner: new FrameWriter(toProcess) };
  }
  const textOf = (frame: { value?: { type: string; payload: Buffer } }) =>
    `${frame.value?.type}${frame.value?.payload.toString('utf8')}`;

  it('come one after the other, and one that is given up does not get into the next', async () => {
    const { objects, asked, owner } = pipes();
    const first = objects.object(0, 'first');
    const reading = first.next();
    expect(textOf(await asked.next())).toBe('o{"backup":0,"name":"first"}');
    await owner.write(types.data, 'one');
    await owner.write(types.data, 'two');
    expect(String((await reading).value)).toBe('one');
    const givenUp = first.return(undefined);
    expect(textOf(await asked.next())).toBe(types.enough);
    const second = objects.object(1, 'second').next();
    await owner.write(types.data, 'three');
    await owner.write(types.objectEnd);
    await givenUp;
    expect(textOf(await asked.next())).toBe('o{"backup":1,"name":"second"}');
    await owner.write(types.data, 'four');
    expect(String((await second).value)).toBe('four');
  });

  it('fail when the owner can not read them, and when it is gone', async () => {
    const { objects, asked, owner } = pipes();
    const reading = objects.object(0, 'first').next();
    await asked.next();
    await owner.write(
      types.unreadable,
      JSON.stringify({
        is: 'vault',
        code: 'vault-unavailable',
        region: 'ORD',
        message: 'It is away.',
        told: 'It is away.',
      }),
    );
    await expect(reading).rejects.toMatchObject({ code: 'vault-unavailable', region: 'ORD' });
    const next = objects.object(0, 'second').next();
    await asked.next();
    await owner.end();
    await expect(next).rejects.toThrow('the owner of this process is gone');
  });
});
