/** A dialog that is open as long as it is drawn. It takes the focus, and the browser gives it back to what had it. */
import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef } from 'preact/hooks';

export function Dialog({
  title,
  closed,
  children,
}: {
  title: string;
  closed: () => void;
  children: ComponentChildren;
}) {
  const dialog = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  useEffect(() => {
    const before = document.activeElement;
    dialog.current?.showModal();
    return () => {
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  return (
    <dialog ref={dialog} aria-labelledby={titleId} onClose={closed}>
      <h2 id={titleId}>{title}</h2>
      {children}
    </dialog>
  );
}

/** What ends a dialog. @param act what the first button does; without it, it submits the form around it */
export function DialogButtons({
  word,
  isBusy = false,
  act,
  closed,
}: {
  word: string;
  isBusy?: boolean;
  act?: () => void;
  closed: () => void;
}) {
  return (
    <p class="buttons">
      <button type={act ? 'button' : 'submit'} class="main" disabled={isBusy} onClick={act}>
        {word}
      </button>
      <button type="button" onClick={closed}>
        Cancel
      </button>
    </p>
  );
}
