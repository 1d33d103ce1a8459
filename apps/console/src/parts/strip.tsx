/** What became of the newest slots of a schedule, the oldest first, as a strip of bars. Its text says the same in numbers. */
import type { SlotOutcome } from '@strongroom/contracts';
import { countsOf, outcomeWords } from '../restorable.js';

/** In units of the picture. A bar that is not full height is told apart without its colour. */
const [barWidth, heights] = [6, { good: 16, busy: 10, quiet: 4, warning: 8, bad: 12 }] as const;

export function Strip({ outcomes }: { outcomes: readonly SlotOutcome[] }) {
  if (outcomes.length === 0) return <span class="quiet">no slot yet</span>;
  const words = countsOf(outcomes);
  return (
    <figure class="strip">
      <svg viewBox={`0 0 ${outcomes.length * barWidth} 16`} width={outcomes.length * barWidth} height="16" role="img">
        <title>{`The last ${outcomes.length} slots: ${words}`}</title>
        {outcomes.map((outcome, at) => {
          const [tone] = outcomeWords[outcome];
          const height = heights[tone];
          return <rect key={at} class={tone} x={at * barWidth} y={16 - height} width={barWidth - 2} height={height} />;
        })}
      </svg>
      <figcaption class="quiet">{words}</figcaption>
    </figure>
  );
}
