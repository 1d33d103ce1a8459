/** Writes the text of docs/configuration.md from the settings that the services parse, and from the others' list. */
import { type AppName, appNames, type Setting } from '@strongroom/runtime';
import { type OtherGroup, otherSettings } from './other-settings.js';

const serviceNames: Readonly<Record<AppName, string>> = {
  api: 'the API',
  scheduler: 'the scheduler',
  replicator: 'the replicator',
};

export function configurationPage(
  settings: readonly Setting<unknown>[],
  others: readonly OtherGroup[] = otherSettings,
): string {
  const groups = [...new Set(settings.map(({ usedBy }) => nameOf(usedBy)))];
  return `${[
    '# Configuration',
    `\`npm run docs\` writes this page from the declarations in [libs/runtime/src/settings](../libs/runtime/src/settings), by which
the services read their environment.`,
    `Each service is configured by the variables of its environment. An empty variable counts as absent. At its start a service
checks every setting of this page's first part, its own and the others'. It names each wrong one with what it must be, and
ends with code 78.`,
    `A setting that may be a file takes its value from the file that \`NAME_FILE\` names. Only one of \`NAME\` and \`NAME_FILE\` may be
set. No log and no error shows a secret. A form completes the sentence “it must be …”, which is what an error says.`,
    ['| Setting | Used by | Default |', '| --- | --- | --- |', ...settings.map(rowOf)].join('\n'),
    ...groups.flatMap((group) => [
      `## ${capital(group)}`,
      ...settings.filter(({ usedBy }) => nameOf(usedBy) === group).flatMap(sectionOf),
    ]),
    ...others.flatMap(otherSectionOf),
  ].join('\n\n')}\n`;
}

function nameOf(services: readonly AppName[]): string {
  const names = services.map((service) => serviceNames[service]);
  return services.length === appNames.length ? 'every service' : names.join(' and ');
}

function rowOf(setting: Setting<unknown>): string {
  const { name, usedBy } = setting;
  return `| [\`${name}\`](#${name.toLowerCase()}) | ${nameOf(usedBy)} | ${defaultsOf(setting) ?? needOf(setting)} |`;
}

function sectionOf(setting: Setting<unknown>): string[] {
  const { name, meaning, form, isSecret, mayBeFile } = setting;
  const defaults = defaultsOf(setting);
  const facts = [
    `- Form: ${form.says}.`,
    defaults === undefined ? `- ${capital(needOf(setting))}.` : `- Default: ${defaults}.`,
    ...(isSecret ? ['- It is a secret.'] : []),
    ...(mayBeFile ? [`- It may be a file: \`${name}_FILE\`.`] : []),
  ];
  return [`### \`${name}\``, meaning, facts.join('\n')];
}

function defaultsOf({ default: text, usedBy }: Setting<unknown>): string | undefined {
  if (typeof text === 'string') return `\`${text}\``;
  return text && usedBy.map((service) => `\`${text[service]}\` for ${serviceNames[service]}`).join(', ');
}

function needOf({ isRequired, requiredWhen }: Setting<unknown>): string {
  if (isRequired) return 'required';
  return requiredWhen ? `required when \`${requiredWhen.name}\` is \`${requiredWhen.is}\`` : 'may be left out';
}

function otherSectionOf({ title, introduction, settings }: OtherGroup): string[] {
  const rows = settings.map(({ name, meaning }) => `| \`${name}\` | ${meaning} |`);
  return [`## ${title}`, introduction, ['| Setting | Meaning |', '| --- | --- |', ...rows].join('\n')];
}

function capital(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
}
