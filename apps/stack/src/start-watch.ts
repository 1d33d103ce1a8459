/** Shows on the board what a part says while it starts, once the start takes longer than usual. */
import { statSync } from 'node:fs';
import { lastWords, logSince } from '@strongroom/server-processes';
import { z } from 'zod';
import type { Row } from './board.js';

const usualMs = 5_000;
const lookMs = 1_000;
const mostWords = 100;
const tailBytes = 8_192;
const logLine = z.object({ msg: z.string(), err: z.object({ message: z.string() }).optional() });

/** @param logFile what is in it before the work begins is of an earlier start */
export async function watched<T>(row: Row, logFile: string, work: Promise<T>): Promise<T> {
  const begun = performance.now();
  const before = statSync(logFile, { throwIfNoEntry: false })?.size ?? 0;
  const looks = setInterval(async () => {
    const seconds = Math.round((performance.now() - begun) / 1_000);
    if (seconds * 1_000 < usualMs) return;
    const size = statSync(logFile, { throwIfNoEntry: false })?.size ?? 0;
    const words = plain(lastWords(await logSince(logFile, Math.max(before, size - tailBytes))));
    row.doing(`starting for ${seconds} s${words && `: ${words}`}`);
  }, lookMs);
  try {
    return await work;
  } finally {
    clearInterval(looks);
  }
}

/** The message of an entry, where the log has entries. */
function plain(line: string): string {
  try {
    const { msg, err } = logLine.parse(JSON.parse(line));
    return (err === undefined ? msg : `${msg} (${err.message})`).slice(0, mostWords);
  } catch {
    return line.slice(0, mostWords);
  }
}
