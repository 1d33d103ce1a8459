/** What a look at one thing has found. */
export const parts = ['database', 'vaults', 'kafka', 'instances'] as const;
export type Part = (typeof parts)[number];

export interface Finding {
  part: Part;
  /** Which of them: a region, the name of an instance. */
  about: string;
  check: string;
  /** Unchecked: it is not known whether it is well. */
  result: 'ok' | 'warning' | 'failed' | 'unchecked';
  says: string;
  /** What to do; null when nothing is to be done. */
  next: string | null;
}

export type Told = Pick<Finding, 'result' | 'says'> & { next?: string };

/** A note of one part, whose findings have the same form. */
export function noting(part: Part, into: Finding[]) {
  return (about: string, check: string, { result, says, next = '' }: Told): void => {
    into.push({ part, about, check, result, says, next: next === '' ? null : next });
  };
}

export function ok(says: string): Told {
  return { result: 'ok', says };
}

export function warning(says: string, next: string): Told {
  return { result: 'warning', says, next };
}

export function failed(says: string, next: string): Told {
  return { result: 'failed', says, next };
}

export function unchecked(says: string, next: string): Told {
  return { result: 'unchecked', says, next };
}

/** How far two clocks may be apart before it is told, in milliseconds. Backups are named and kept by the clocks. */
export const clocksApartMs = 5_000;

/** @param other whose clock it is compared with */
export function clockTold(whose: string, apartMs: number, other = 'this machine'): Told {
  const seconds = (Math.abs(apartMs) / 1_000).toFixed(1);
  if (Math.abs(apartMs) <= clocksApartMs)
    return ok(`The clock of ${whose} and that of ${other} are ${seconds} s apart.`);
  return warning(
    `The clock of ${whose} is ${seconds} s ${apartMs > 0 ? 'ahead of' : 'behind'} that of ${other}.`,
    'Have both set by NTP (chronyc tracking, timedatectl).',
  );
}
