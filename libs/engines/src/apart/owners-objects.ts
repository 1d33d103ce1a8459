/**
 * The objects of backups in a vault, as a process of an engine gets them: it asks its owner for one at a time, and no object begins
 * before the one before it has ended. An object that is not read to its end is told off, and what is on its way is dropped.
 */
import { type Frame, type FrameWriter } from './frames.js';
import { faultFromText, types } from './messages.js';

export class OwnersObjects {
  /** Resolves when no object is on its way. */
  private last: Promise<void> = Promise.resolve();

  constructor(
    private readonly input: AsyncGenerator<Frame>,
    private readonly messages: FrameWriter,
  ) {}

  /** @returns the next frame @throws when the owner is gone */
  async next(): Promise<Frame> {
    const { value } = await this.input.next();
    if (!value) throw new Error('the owner of this process is gone');
    return value;
  }

  /** @param backup the place of the backup in what the process was given */
  async *object(backup: number, name: string): AsyncGenerator<Buffer> {
    const before = this.last;
    let end: () => void = () => {};
    this.last = new Promise((resolve) => {
      end = resolve;
    });
    await before;
    let isAll = false;
    try {
      await this.messages.write(types.object, JSON.stringify({ backup, name }));
      while (!isAll) {
        const { type, payload } = await this.next();
        isAll = type !== types.data;
        if (type === types.unreadable) throw faultFromText(payload.toString('utf8'));
        if (!isAll) yield payload;
      }
    } finally {
      if (!isAll) await this.drop();
      end();
    }
  }

  private async drop(): Promise<void> {
    await this.messages.write(types.enough);
    let type: string;
    do ({ type } = await this.next());
    while (type === types.data);
  }
}
