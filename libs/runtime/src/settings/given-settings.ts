/** The settings that an environment gives. They are checked as a whole first, and then read one by one. */
import { readFileSync } from 'node:fs';
import { messageOf } from '@strongroom/contracts';
import { mustBe } from './forms.js';
import { isOfService, isServiceLink } from './injected.js';
import { type AppName, type DefaultedSetting, defaultOf, type RequiredSetting, type Setting } from './setting.js';

export interface ConfigProblem {
  variable: string;
  problem: string;
}

export class GivenSettings {
  /** A variable that is empty counts as absent. */
  private readonly given: Map<string, string>;
  private readonly fileProblems: ConfigProblem[] = [];
  private readonly files = new Map<string, string>();

  constructor(
    private readonly app: AppName,
    env: NodeJS.ProcessEnv,
    private readonly settings: readonly Setting<unknown>[],
  ) {
    this.given = new Map(
      Object.entries(env).flatMap(([name, value]) =>
        value?.trim() && !isServiceLink(name, value) ? [[name, value]] : [],
      ),
    );
    for (const setting of settings) if (setting.mayBeFile) this.readFile(setting.name);
  }

  /** Each wrong setting once. */
  get problems(): ConfigProblem[] {
    const inFiles = new Set(this.fileProblems.map(({ variable }) => variable.replace(/_FILE$/, '')));
    const inSettings = this.settings
      .filter(({ name }) => !inFiles.has(name))
      .flatMap((setting) => this.problemOf(setting) ?? []);
    return [...this.fileProblems, ...inSettings];
  }

  /**
   * What is in the environment under our prefix and changes nothing, in whole sentences: links of Services, and names that no
   * setting has.
   */
  static withoutEffect(env: NodeJS.ProcessEnv, known: ReadonlySet<string>): string[] {
    const ours = Object.entries(env).flatMap(([name, value]) =>
      name.startsWith('STRONGROOM_') && value?.trim() ? [{ name, value }] : [],
    );
    const links = ours.filter(
      ({ name, value }) => isServiceLink(name, value) || (!known.has(name) && isOfService(name)),
    );
    const unknown = ours.filter((each) => !links.includes(each) && !known.has(each.name));
    const listed = (all: { name: string }[]) =>
      all
        .map(({ name }) => name)
        .sort()
        .join(', ');
    return [
      ...(links.length > 0 ? [`${listed(links)}: the platform injects this for a Service; it has no effect.`] : []),
      ...(unknown.length > 0 ? [`${listed(unknown)}: no setting has this name, so it has no effect.`] : []),
    ];
  }

  /** @throws when the setting has a problem */
  value<T>(setting: DefaultedSetting<T> | RequiredSetting<T>): T {
    return setting.form.schema.parse(this.textOf(setting));
  }

  /** @throws when the setting has a problem */
  valueIfSet<T>(setting: Setting<T>): T | undefined {
    return this.textOf(setting) === undefined ? undefined : setting.form.schema.parse(this.textOf(setting));
  }

  /** The path of the file that the value came from; undefined when it came from none. */
  fileOf({ name }: Setting<unknown>): string | undefined {
    return this.files.get(name);
  }

  private textOf(setting: Setting<unknown>): string | undefined {
    return this.given.get(setting.name) ?? defaultOf(setting, this.app);
  }

  private problemOf(setting: Setting<unknown>): ConfigProblem | undefined {
    const { name: variable, form, isSecret, wayOn } = setting;
    const text = this.textOf(setting);
    if (text === undefined) {
      const need = this.needOf(setting);
      if (need === undefined) return undefined;
      return {
        variable,
        problem: `is not set${wayOn === undefined ? `; it ${mustBe(form.says)}${need}` : `. ${wayOn}`}`,
      };
    }
    const parsed = form.schema.safeParse(text);
    if (parsed.success) return undefined;
    const state = isSecret ? 'is not of the right form' : `is ${JSON.stringify(text)}`;
    return { variable, problem: `${state}; it ${parsed.error.issues[0]?.message}` };
  }

  /** When the setting must be there: '' for always, undefined for not now. */
  private needOf({ usedBy, isRequired, requiredWhen }: Setting<unknown>): string | undefined {
    if (!usedBy.includes(this.app)) return undefined;
    if (isRequired) return '';
    const other = this.settings.find(({ name }) => name === requiredWhen?.name);
    if (!other || !requiredWhen || this.textOf(other) !== requiredWhen.is) return undefined;
    return ` when ${requiredWhen.name} is ${requiredWhen.is}`;
  }

  private readFile(variable: string): void {
    const pointer = `${variable}_FILE`;
    const path = this.given.get(pointer);
    if (path === undefined) return;
    if (this.given.has(variable)) {
      this.fileProblems.push({ variable: pointer, problem: `and ${variable} are both set; set one of them` });
      return;
    }
    try {
      this.given.set(variable, readFileSync(path, 'utf8').trim());
      this.files.set(variable, path);
    } catch (error) {
      const why = messageOf(error);
      this.fileProblems.push({ variable: pointer, problem: `can't be read: ${why}` });
    }
  }
}
