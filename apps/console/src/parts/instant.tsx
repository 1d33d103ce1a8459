/** An instant as people read it; the time in UTC stands in its title, and for programs. */
import { away, utcMinute } from '../times.js';

export function Instant({ at, now }: { at: string; now: Date }) {
  const date = new Date(at);
  return (
    <time dateTime={at}>
      {utcMinute(date)} <span class="quiet">({away(date, now)})</span>
    </time>
  );
}
