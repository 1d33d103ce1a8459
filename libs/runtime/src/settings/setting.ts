/**
 * One setting of the services: its name, its form, its default and its meaning, declared once. `loadConfig` reads by it,
 * the errors quote it, and docs/configuration.md is written from it.
 */
import type { z } from 'zod';

export const appNames = ['api', 'scheduler', 'replicator'] as const;
export type AppName = (typeof appNames)[number];

/** What a value may be. The schema's own issues begin with `must`. */
export interface Form<T> {
  /** Completes the sentence `it must be …`. */
  says: string;
  schema: z.ZodType<T, string>;
}

/** The value that counts when none is given, as it would be given. */
export type Default = string | Readonly<Record<AppName, string>>;

export interface Setting<T> {
  /** The name of the environment's variable. */
  name: string;
  /** Whole sentences. */
  meaning: string;
  form: Form<T>;
  /** The services whose work it changes. Every service checks its form. */
  usedBy: readonly AppName[];
  default?: Default;
  /** The services that use it do not start without it. */
  isRequired?: true;
  /** What to do where it is required and not set, in whole sentences. Default: the form says it. */
  wayOn?: string;
  /** They do not start without it when another setting has this value. */
  requiredWhen?: { name: string; is: string };
  /** No log and no error shows its value. */
  isSecret?: true;
  /** `NAME_FILE` may give the path of a file that holds the value. */
  mayBeFile?: true;
}

export interface DefaultedSetting<T> extends Setting<T> {
  default: Default;
}

export interface RequiredSetting<T> extends Setting<T> {
  isRequired: true;
}

export function defaultOf({ default: text }: Setting<unknown>, app: AppName): string | undefined {
  return typeof text === 'object' ? text[app] : text;
}
