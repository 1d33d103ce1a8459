/**
 * What stands in a form whose thing may change beside it. What a person has changed stays, what nobody has changed follows, and what changed
 * beside is told.
 */
export type Fields = Readonly<Record<string, string>>;

export interface Edited {
  /** What there was when the person began to change it. */
  began: Fields;
  /** What there is, as it was read last. */
  is: Fields;
  typed: Fields;
}

export interface Beside {
  name: string;
  was: string;
  is: string;
  /** What stands in the form. */
  typed: string;
}

export function unedited(is: Fields): Edited {
  return { began: is, is, typed: is };
}

export function withTyped(edited: Edited, name: string, value: string): Edited {
  return begunAnew({ ...edited, typed: { ...edited.typed, [name]: value } });
}

/** @param now what was read anew */
export function withNews({ began, is, typed }: Edited, now: Fields): Edited {
  const kept = Object.entries(now).map(([name, value]) => {
    const own = typed[name];
    return [name, own === undefined || own === is[name] ? value : own] as const;
  });
  return begunAnew({ began, is: now, typed: Object.fromEntries(kept) });
}

/** @param made what there is now, because the person has made it so */
export function withMade({ typed }: Edited, made: Fields): Edited {
  return { began: made, is: made, typed };
}

/** Where nothing is changed by the person, nothing is told. */
function begunAnew(edited: Edited): Edited {
  const { is, typed } = edited;
  return Object.entries(is).every(([name, value]) => typed[name] === value) ? unedited(is) : edited;
}

/** What is another than when the person began. */
export function besideOf({ began, is, typed }: Edited): Beside[] {
  return Object.entries(is).flatMap(([name, value]) => {
    const was = began[name] ?? '';
    return was === value ? [] : [{ name, was, is: value, typed: typed[name] ?? value }];
  });
}
