/** What a PostgreSQL server says, in its own words: errors with their detail and hint, and the notices before them. */
import { messageOf } from '@strongroom/contracts';

/** A notice or a warning of the server. */
export interface Notice {
  /** As the server writes it, such as `WARNING`. */
  severity: string;
  message: string;
  detail?: string | undefined;
  hint?: string | undefined;
}

const mostNotices = 200;
const mostOfNotice = 1_000;
/** What a backup keeps of them. */
const mostWarnings = 20;
/** What a server says whenever a backup ends with an error, which tells nothing of the reason. */
const emptyWords = /^aborting backup due to backend exiting/;

/** The notices of one connection. Memory stays flat however many come. */
export class Notices {
  readonly kept: Notice[] = [];
  private dropped = 0;

  add(notice: Notice): void {
    if (emptyWords.test(notice.message)) return;
    if (this.kept.length < mostNotices) this.kept.push(shortened(notice));
    else this.dropped += 1;
  }

  /** The first warnings, each once: what a backup that is good keeps. */
  get warnings(): string[] {
    const warnings = this.kept.filter(({ severity }) => severity === 'WARNING');
    return [...new Set(warnings.map(asWarned))].slice(0, mostWarnings);
  }

  get count(): number {
    return this.kept.length + this.dropped;
  }

  /** As many of them as there is room for, and how many more there are. Empty when there are none. */
  told(roomChars: number): string {
    if (this.count === 0) return '';
    let text = 'Before that it said: ';
    let told = 0;
    for (const notice of this.kept) {
      const next = `${told === 0 ? '' : '; '}${asWarned(notice)}`;
      if (text.length + next.length + 30 > roomChars) break;
      text += next;
      told += 1;
    }
    if (told === 0) return `It gave ${this.count} warnings before that.`;
    return this.count > told ? `${text}; and ${this.count - told} more.` : sentence(text);
  }
}

function shortened({ severity, message, detail, hint }: Notice): Notice {
  const short = (text: string | undefined) => (text === undefined ? undefined : clipped(text, mostOfNotice));
  return {
    severity: clipped(severity, 32),
    message: clipped(message, mostOfNotice),
    detail: short(detail),
    hint: short(hint),
  };
}

/** A notice in one line. */
export function asWarned({ severity, message, detail, hint }: Notice): string {
  const beside = [detail, hint].filter((words) => words !== undefined && words !== '').join(' ');
  return `${severity}: ${clipped(beside === '' ? message : `${message} (${beside})`, 300)}`;
}

/** The SQLSTATE of the error. Undefined when it is not the server's. */
export function sqlStateOf(error: unknown): string | undefined {
  const code = fieldOf(error, 'code') ?? '';
  return /^[0-9A-Z]{5}$/.test(code) && /\d/.test(code) ? code : undefined;
}

/** What an error says of itself, as sentences: its message, its severity and SQLSTATE, its detail, its hint and where it was. */
export function saidBy(error: unknown): string {
  const state = sqlStateOf(error);
  const message = clipped(messageOf(error), 600);
  if (state === undefined) return sentence(message);
  const told = (name: string, label: string, mostChars = 300) => {
    const text = fieldOf(error, name);
    return text === undefined ? [] : [`${label}: ${sentence(clipped(text, mostChars))}`];
  };
  const severity = fieldOf(error, 'severity');
  return [
    `${message.replace(/[.\s]+$/, '')} (${severity === undefined ? '' : `${severity} `}${state}).`,
    ...told('detail', 'Detail'),
    ...told('hint', 'Hint'),
    ...told('where', 'Where', 150),
  ].join(' ');
}

/** Message and detail, in which words are looked for. */
export function wordsOf(error: unknown): string {
  return `${messageOf(error)}\n${fieldOf(error, 'detail') ?? ''}`;
}

/** A text of an error object, such as `hint`. Undefined where it has none. */
export function fieldOf(error: unknown, name: string): string | undefined {
  if (typeof error !== 'object' || error === null || !(name in error)) return undefined;
  const value: unknown = Reflect.get(error, name);
  return typeof value === 'string' && value !== '' ? value : undefined;
}

export function clipped(text: string, mostChars: number): string {
  if (text.length <= mostChars) return text;
  // Half of a pair of UTF-16 can't be stored.
  return `${text.slice(0, mostChars - 1).replace(/[\ud800-\udbff]$/, '')}…`;
}

function sentence(text: string): string {
  return /[.!?…]$/.test(text) ? text : `${text}.`;
}
