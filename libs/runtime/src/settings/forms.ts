/** The forms that several settings share. A wrong value is refused with what would be right. */
import { z } from 'zod';
import type { Form } from './setting.js';

/** A text that a function takes apart. It answers with a string to say what is wrong. */
export function parsedText<T extends object>(says: string, parse: (text: string) => T | string): Form<T> {
  const schema = anyText(says).transform((text, context) => {
    const found = parse(text);
    if (typeof found !== 'string') return found;
    context.addIssue(found);
    return z.NEVER;
  });
  return { says, schema };
}

/** A text that is taken as it is when it passes the test. */
export function text(says: string, isRight: (text: string) => boolean = () => true): Form<string> {
  return { says, schema: anyText(says).refine(isRight, { error: mustBe(says) }) };
}

export function oneOf<const T extends readonly string[]>(allowed: T): Form<T[number]> {
  const last = allowed.at(-1);
  const says = allowed.length > 2 ? `one of ${allowed.join(', ')}` : `${allowed.slice(0, -1).join(', ')} or ${last}`;
  return { says, schema: z.enum(allowed, { error: mustBe(says) }) };
}

export function integer(least: number, most: number, note = ''): Form<number> {
  return whole(`an integer from ${least} to ${most}${note}`, least, most, 1);
}

const msOf = { minutes: 60_000, hours: 3_600_000 } as const;

/** A whole number of the unit, parsed into milliseconds. */
export function wholeTime(unit: keyof typeof msOf, least: number, most: number): Form<number> {
  return whole(`an integer of ${unit} from ${least} to ${most}`, least, most, msOf[unit]);
}

/** Seconds with up to three decimals, parsed into milliseconds. */
export function seconds(least: number, most: number): Form<number> {
  const says = `a number of seconds from ${least} to ${most}`;
  const error = mustBe(says);
  const schema = anyText(says)
    .regex(/^\d{1,7}(\.\d{1,3})?$/, { error, abort: true })
    .transform((value) => Math.round(Number(value) * 1_000))
    .refine((ms) => ms >= least * 1_000 && ms <= most * 1_000, { error });
  return { says, schema };
}

export function mustBe(says: string): string {
  return `must be ${says}`;
}

export function anyText(says: string) {
  return z.string({ error: mustBe(says) });
}

function whole(says: string, least: number, most: number, factor: number): Form<number> {
  const error = mustBe(says);
  const schema = anyText(says)
    .regex(/^\d{1,10}$/, { error, abort: true })
    .transform(Number)
    .refine((value) => value >= least && value <= most, { error })
    .transform((value) => value * factor);
  return { says, schema };
}
