/** The options that say when a schedule runs, what it keeps, and where its backups are copied to. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { atLeastOne, regionsArgument } from './api-options.js';

export interface TimingOptions {
  at?: { hour: number; minute: number };
  fullOn?: number;
  keepFulls?: number;
  copyTo?: string[];
}

/** By their numbers in the API. */
export const days = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'every-day'];

/** @param isNew whether it has to be said when the schedule runs */
export function ofTiming(command: Command, { isNew = false } = {}): Command {
  const needed = [
    new Option('--at <hh:mm>', 'when each day, in UTC').argParser(timeArgument),
    new Option('--full-on <day>', 'the day of the full backup, such as sunday, or every-day').argParser(dayArgument),
  ];
  for (const option of needed) command.addOption(option.makeOptionMandatory(isNew));
  return command
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

/** A time of the day in UTC, such as 14:30; undefined when it is none. */
export function timeOf(text: string): { hour: number; minute: number } | undefined {
  const [, hour, minute] = /^([01]?\d|2[0-3]):([0-5]\d)$/.exec(text) ?? [];
  return hour === undefined ? undefined : { hour: Number(hour), minute: Number(minute) };
}

/** The number of a day by its name, the first three letters of it or more, or by its number; undefined when it is none. */
export function dayOf(text: string): number | undefined {
  const name = text.toLowerCase();
  const day = /^[0-7]$/.test(name) ? Number(name) : days.findIndex((each) => name.length >= 3 && each.startsWith(name));
  return day === -1 ? undefined : day;
}

function timeArgument(text: string): { hour: number; minute: number } {
  const time = timeOf(text);
  if (!time) throw new InvalidArgumentError('It must be a time of the day in UTC, such as 14:30.');
  return time;
}

function dayArgument(text: string): number {
  const day = dayOf(text);
  if (day === undefined) throw new InvalidArgumentError('It must be a day, such as sunday, or every-day.');
  return day;
}
