/** A table that is wider than the screen scrolls in its own box, which browsers let the keyboard reach. */
import type { ComponentChildren } from 'preact';

export function Scrolled({ label, children }: { label: string; children: ComponentChildren }) {
  return (
    <section class="scrolled" aria-label={label}>
      {children}
    </section>
  );
}
