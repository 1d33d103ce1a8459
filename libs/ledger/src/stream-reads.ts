/**
 * Reads of streams, so that those that come at once share one statement. One statement runs at a time, and the next one reads every
 * stream that was asked for meanwhile. Each read begins after it was asked for, so it sees every append that was committed before.
 */
import type { StreamName } from '@strongroom/contracts';
import { isOutage } from './ledger-fault.js';
import type { ReadEvents } from './read-events.js';

interface Waiting {
  stream: StreamName;
  resolve(read: ReadEvents): void;
  reject(fault: unknown): void;
}

/** Most streams are short. A statement reads so many at most, so that nobody waits long for the streams of others. */
const mostStreams = 100;

export class StreamReads {
  private readonly queue: Waiting[] = [];
  private busy = false;

  /** @param readSome reads the events of several streams */
  constructor(private readonly readSome: (streams: readonly StreamName[]) => Promise<ReadEvents>) {}

  /** The events of a stream, and what can't be read in it. */
  read(stream: StreamName): Promise<ReadEvents> {
    return new Promise((resolve, reject) => {
      this.queue.push({ stream, resolve, reject });
      if (!this.busy) void this.drain();
    });
  }

  private async drain(): Promise<void> {
    this.busy = true;
    while (this.queue.length > 0) await this.readNext(this.queue.splice(0, mostStreams));
    this.busy = false;
  }

  /** A stream that the database can't give fails alone: the others are read without it. */
  private async readNext(asked: readonly Waiting[]): Promise<void> {
    try {
      const read = await this.readSome([...new Set(asked.map(({ stream }) => stream))]);
      for (const { stream, resolve } of asked) resolve(only(stream, read));
    } catch (error) {
      if (asked.length > 1 && !isOutage(error)) for (const each of asked) await this.readNext([each]);
      else for (const { reject } of asked) reject(error);
    }
  }
}

function only(stream: StreamName, { events, newer, unreadable, end }: ReadEvents): ReadEvents {
  const isOwn = (each: { stream: string }) => each.stream === stream;
  const own = { events: events.filter(isOwn), newer: newer.filter(isOwn), unreadable: unreadable.filter(isOwn) };
  return { ...own, read: own.events.length + own.newer.length + own.unreadable.length, end };
}
