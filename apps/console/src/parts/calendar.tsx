/** A table of days, a row for each month: each cell has a sign and a colour to see, and a word to hear. */
import type { SlotOutcome } from '@strongroom/contracts';
import type { Month } from '../calendar.js';
import { outcomeWords } from '../restorable.js';
import { Scrolled } from './scrolled.js';

const signs: Readonly<Record<SlotOutcome, string>> = {
  completed: '✓',
  failed: '✕',
  running: '…',
  skipped: '–',
  missed: '!',
};
const days = Array.from({ length: 31 }, (_, day) => day + 1);

export function Calendar({ months }: { months: readonly Month[] }) {
  return (
    <Scrolled label="Calendar of outcomes">
      <table class="calendar">
        <caption>
          What became of the slots of each day, in UTC:{' '}
          {Object.entries(signs)
            .map(([outcome, sign]) => `${sign} ${outcome}`)
            .join(', ')}
        </caption>
        <thead>
          <tr>
            <th scope="col">Month</th>
            {days.map((day) => (
              <th scope="col" key={day}>
                {day}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {months.map(({ name, days: outcomes }) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              {days.map((day) => (
                <Day key={day} outcome={outcomes[day - 1]} />
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </Scrolled>
  );
}

function Day({ outcome }: { outcome: SlotOutcome | undefined }) {
  if (outcome === undefined) return <td />;
  return (
    <td class={outcomeWords[outcome][0]}>
      <span aria-hidden="true">{signs[outcome]}</span>
      <span class="unseen">{outcome}</span>
    </td>
  );
}
