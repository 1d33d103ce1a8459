/** What is told once. It takes the focus, so that whoever hears the page hears it too. */
import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { Command } from './command.js';

export function Secret({ text, children, closed }: { text: string; children: ComponentChildren; closed: () => void }) {
  const told = useRef<HTMLParagraphElement>(null);
  useEffect(() => told.current?.focus(), []);
  return (
    <>
      <p ref={told} tabIndex={-1}>
        {children} <strong>It is shown now, and never again.</strong>
      </p>
      <Command text={text} what="the secret" />
      <p class="buttons">
        <button type="button" class="main" onClick={closed}>
          Close
        </button>
      </p>
    </>
  );
}
