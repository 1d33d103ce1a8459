/** A word with its sign and its colour. The word alone says it all. */
import type { ComponentChildren } from 'preact';

export type Tone = 'good' | 'warning' | 'bad' | 'quiet' | 'busy';

/** In a square of 16. */
const signs: Readonly<Record<Tone, string>> = {
  good: 'M3 8.5l3.2 3.2L13 5',
  warning: 'M8 3v6M8 12v1',
  bad: 'M4 4l8 8M12 4l-8 8',
  quiet: 'M4 8h8',
  busy: 'M8 4v4.5l3 2M8 1.5a6.5 6.5 0 1 1 0 13a6.5 6.5 0 1 1 0-13',
};

export function Mark({ tone, children }: { tone: Tone; children: ComponentChildren }) {
  return (
    <span class={`mark ${tone}`}>
      <svg viewBox="0 0 16 16" aria-hidden="true">
        <path d={signs[tone]} />
      </svg>
      <span>{children}</span>
    </span>
  );
}
