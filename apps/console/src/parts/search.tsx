/** A field in which one types what to look for; the list follows each letter. */
import { useId } from 'preact/hooks';

interface Asked {
  label: string;
  /** What may be typed, as examples. */
  hint: string;
  typed: (text: string) => void;
}

export function Search({ label, hint, typed }: Asked) {
  const id = useId();
  return (
    <p>
      <label for={id}>{label}</label>{' '}
      <input id={id} type="search" placeholder={hint} onInput={({ currentTarget }) => typed(currentTarget.value)} />
    </p>
  );
}
