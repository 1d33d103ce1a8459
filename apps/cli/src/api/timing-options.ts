/** The options that say when a schedule runs, what it keeps, and where its backups are copied to. */
import { type Command, InvalidArgumentError } from 'commander';
import { atLeastOne, regionsArgument } from './api-options.js';

export interface TimingOptions {
  at?: { hour: number; minute: number };
  fullOn?: number;
  keepFulls?: number;
  copyTo?: string[];
}

/** By their numbers in the API. */
export const days = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'every-day'];

export function ofTiming(command: Command): Command {
  return command
    .option('--at <hh:mm>', 'when each day, in UTC', timeArgument)
    .option('--full-on <day>', 'the day of the full backup, such as sunday, or every-day', dayArgument)
    .option('--keep-fulls <number>', 'how many full backups are kept, with what is built on them', atLeastOne)
    .option('--copy-to <regions>', 'the regions that each backup is copied to, such as IAD,ORD', regionsArgument);
}

/** What of a schedule the options change. */
export function changeOf({ at, fullOn, ...rest }: TimingOptions) {
  return { ...at, ...(fullOn !== undefined && { day_of_week: fullOn }), ...restOf(rest) };
}

/** What the options say beside the time. */
export function restOf({ keepFulls, copyTo }: Pick<TimingOptions, 'keepFulls' | 'copyTo'>) {
  return {
    ...(keepFulls !== undefined && { full_backup_retention: keepFulls }),
    ...(copyTo !== undefined && { copy_to: copyTo }),
  };
}

function timeArgument(text: string): { hour: number; minute: number } {
  const [, hour, minute] = /^([01]?\d|2[0-3]):([0-5]\d)$/.exec(text) ?? [];
  if (hour === undefined) throw new InvalidArgumentError('It must be a time of the day in UTC, such as 14:30.');
  return { hour: Number(hour), minute: Number(minute) };
}

function dayArgument(text: string): number {
  const name = text.toLowerCase();
  const day = /^[0-7]$/.test(name) ? Number(name) : days.findIndex((each) => name.length >= 3 && each.startsWith(name));
  if (day === -1) throw new InvalidArgumentError('It must be a day, such as sunday, or every-day.');
  return day;
}
