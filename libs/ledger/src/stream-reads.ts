/** Reads of streams that come at once share a statement. */
import type { StreamName } from '@strongroom/contracts';
import type { ReadEvents } from './read-events.js';
import { SharedStatements } from './shared-statements.js';

/** Most streams are short. A statement reads so many at most, so that nobody waits long for the streams of others. */
const mostStreams = 100;

/**
 * @param readSome reads the events of several streams
 * @returns reads the events of a stream, and what can't be read in it
 */
export function streamReads(
  readSome: (streams: readonly StreamName[]) => Promise<ReadEvents>,
): (stream: StreamName) => Promise<ReadEvents> {
  const reads = new SharedStatements<StreamName, ReadEvents>(mostStreams, async (streams) => {
    const { end, ...read } = await readSome([...new Set(streams)]);
    const [events, newer, unreadable] = [ofStreams(read.events), ofStreams(read.newer), ofStreams(read.unreadable)];
    return streams.map((stream) => {
      const own = {
        events: events.get(stream) ?? [],
        newer: newer.get(stream) ?? [],
        unreadable: unreadable.get(stream) ?? [],
      };
      return { ...own, read: own.events.length + own.newer.length + own.unreadable.length, end };
    });
  });
  return (stream) => reads.do(stream);
}

function ofStreams<Each extends { stream: string }>(found: readonly Each[]): Map<string, Each[]> {
  const byStream = new Map<string, Each[]>();
  for (const each of found) {
    const before = byStream.get(each.stream);
    if (before) before.push(each);
    else byStream.set(each.stream, [each]);
  }
  return byStream;
}
