/** Instants in words. */

export const days = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];

/** A time of a schedule is in UTC, and says no zone. */
export function instantOf(zoneless: string): Date {
  return new Date(`${zoneless}Z`);
}

/** To the minute, in UTC: `2026-11-27 03:15`. */
export function utcMinute(at: Date): string {
  return at.toISOString().slice(0, 16).replace('T', ' ');
}

/** To the minute, where the browser is. */
export function localMinute(at: Date): string {
  return new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' }).format(at);
}

/** `5 min ago`, `in 3 h`: the largest unit that fits. */
export function away(at: Date, now: Date): string {
  const minutes = Math.round(Math.abs(at.getTime() - now.getTime()) / 60_000);
  if (minutes < 1) return 'now';
  const amount =
    minutes < 60
      ? `${minutes} min`
      : minutes < 48 * 60
        ? `${Math.round(minutes / 60)} h`
        : `${Math.round(minutes / 1_440)} days`;
  return at < now ? `${amount} ago` : `in ${amount}`;
}

/** `12 s`, `4 min`, `2.5 h`: how long something took. */
export function lengthOf(seconds: number): string {
  if (seconds < 60) return `${seconds} s`;
  return seconds < 7_200 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3_600).toFixed(1)} h`;
}

/** When a schedule runs, in UTC. On the other days it makes incrementals; with 7 there are no other days. */
export function timingOf({ day_of_week, hour, minute }: { day_of_week: number; hour: number; minute: number }): string {
  const two = (value: number) => String(value).padStart(2, '0');
  const day = days[day_of_week];
  return `daily at ${two(hour)}:${two(minute)}, ${day === undefined ? 'always full' : `full on ${day}`}`;
}
