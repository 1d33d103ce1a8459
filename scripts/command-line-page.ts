/** Writes the text of docs/command-line.md from the tree of the commands, the list of the exit codes and that of the answers which end with them. */
import type { Command } from 'commander';

export interface Code {
  code: number;
  meaning: string;
}

/** An answer of the service, in the words of the page, and the code that it ends a command with. */
export interface EndingAnswer {
  answer: string;
  code: number;
}

export function commandLinePage(program: Command, codes: readonly Code[], answers: readonly EndingAnswer[]): string {
  const leaves = leavesOf(program);
  return `${[
    '# The command line',
    '`npm run docs` writes this page from the commands in [apps/cli/src](../apps/cli/src).',
    `\`strongroom\` asks the service, or reads a vault with nothing but the vault, or looks after a deployment. \`strongroom --help\` shows all commands,
and \`--help\` behind any of them its options. \`strongroom completion bash\` prints what has a shell complete them; there is one for zsh and one for fish.`,
    '## Rules',
    `- Data go to the standard output, and all else to the standard error. A sentence that says what was done is no data: what changes something prints data of that
  only with \`--json\`. \`restore\` prints its report, which says how the server is started.
- \`--json\` prints the documents of the API, and what a command without the service has found or done. A list of several pages is one document. Fields may be
  added, and none ever changes. Every command has it but \`completion\`, which prints a script. \`show\` prints JSON without it, too.
- \`--plain\` prints a line for each thing with one tab between two fields, and no heading. \`-\` stands for nothing. Each list has it.
- Nothing has a colour, so \`NO_COLOR\` has nothing to turn off.
- What destroys something has the name or the id typed. \`--yes\` takes the place of that for scripts. Without a terminal, or with \`--no-input\`, it is
  refused without \`--yes\`. A command without \`--no-input\` never asks.
- \`--dry-run\` prints the request that would be sent, without passwords and keys, and sends none.
- An error says what to do next: the command to run, or what to do by hand. So does each code but 0 of a command that has printed what it has found.`,
    '## Where the service is',
    `\`strongroom login\` tries a token and keeps it in a profile. The profiles are in \`$XDG_CONFIG_HOME/strongroom/config.json\`, or below \`~/.config\`. Only its
owner can read the file, and one that others can read is refused. The address, the account and the token are taken from the options first, then
from \`STRONGROOM_URL\`, \`STRONGROOM_ACCOUNT\` and \`STRONGROOM_TOKEN\`, then from the profile of \`--profile\`, of \`STRONGROOM_PROFILE\` or the current one. Without any
profile, a command takes the local stack of \`.strongroom/stack.json\`, if it is there. The token of a profile is sent to the service of that profile alone. No
token is ever printed, or taken from the words of a command, which others could read in the list of processes.`,
    `A token is taken from these places, and the first one that has it counts: the file of \`--token-file\`, \`STRONGROOM_TOKEN\` of the environment, and the profile. That of a profile is in the
file of the profiles, or, with \`strongroom login --keychain\`, in the keychain of the system: by \`secret-tool\` (libsecret) on Linux, and by \`security\` on macOS. The token goes to these
programs by their standard input. The keychain is asked only when the token is wanted, and \`strongroom profile remove\` removes it there. \`strongroom login --no-keychain\` brings it back into the file.`,
    '## Exit codes',
    'Each code has one meaning, in every command, and never gets another.',
    table(
      ['Code', 'Meaning'],
      codes.map(({ code, meaning }) => [String(code), meaning]),
    ),
    `What the service answers ends a command with one of these. A *refusal* is the word that stands as \`refusal\` in the fault, where what the account has does not allow
what was asked. Those that are listed pass by themselves, or never do; any other ends a command as its fault does.`,
    table(
      ['Answer', 'Code'],
      answers.map(({ answer, code }) => [answer, String(code)]),
    ),
    'A command whose output is read no further ends with 141, which is 128 and the number of SIGPIPE, as a shell tells it of other programs.',
    '## Progress for programs',
    `What takes long tells how far it is, how fast that goes and how long it still takes: on a terminal by one line that is drawn again, elsewhere by a line every five
seconds. Under \`--json\` each is a line of JSON on the standard error with the \`message_type\` \`status\`. It has \`doing\`, \`seconds_elapsed\`, and of what is counted, \`bytes\`,
\`events\` or \`backups\`: \`bytes_done\`, \`bytes_per_second\` and, where it is known how much there is, \`bytes_total\`, \`percent_done\` and \`seconds_left\`.
So do \`restore\`, \`verify\`, \`vault upgrade\`, \`views rebuild\`, \`ledger verify\`, \`catalog rebuild\` and \`keys rewrap\`.`,
    `With \`--wait\`, \`backup create\` and \`schedule run\` show how far the backup and its copies are. Under \`--json\` that is a line of JSON on the standard error
for each change. Its \`message_type\` is \`status\`, and it has \`backup_id\`, \`status\`, \`percent_done\`, \`attempt\`, \`copies\`, \`seconds_elapsed\` and, where it can be told,
\`seconds_left\`. A copy that comes has \`bytes_per_second\` and \`seconds_left\` of its own. While the service is away there are lines with the \`message_type\` \`warning\` and a \`message\`. The standard output has the backup as it is at the end.`,
    '## Commands',
    ...leaves.map(({ path, command }) => sectionOf(path, command)),
  ].join('\n\n')}\n`;
}

/** The commands that do something, each with the words that lead to it. */
export function leavesOf(command: Command, before: readonly string[] = []): { path: string; command: Command }[] {
  const words = [...before, command.name()];
  if (command.commands.length === 0) return [{ path: words.join(' '), command }];
  return command.commands.flatMap((each) => leavesOf(each, words));
}

/** The arguments, and the options that have to be given. */
export function usageOf(command: Command): string {
  const needed = command.options.filter(({ mandatory }) => mandatory).map(({ flags }) => flags);
  const given = command.registeredArguments.map((each) => (each.required ? `<${each.name()}>` : `[${each.name()}]`));
  return [...given, ...needed].join(' ');
}

/** The arguments and the options of a command, each with what it means. */
export function optionsOf(command: Command): { term: string; meaning: string }[] {
  const help = command.createHelp();
  const options = help.visibleOptions(command).filter(({ long }) => long !== '--help');
  return [
    ...help.visibleArguments(command).map((each) => ({
      term: `<${help.argumentTerm(each)}>`,
      meaning: help.argumentDescription(each),
    })),
    ...options.map((each) => ({ term: help.optionTerm(each), meaning: help.optionDescription(each) })),
  ];
}

function sectionOf(path: string, command: Command): string {
  const rows = optionsOf(command).map(({ term, meaning }) => [`\`${term}\``, meaning]);
  const parts = [`### ${path}`, command.description(), `    ${path} ${usageOf(command)}`.trimEnd()];
  return [...parts, ...(rows.length > 0 ? [table(['Option', 'Meaning'], rows)] : [])].join('\n\n');
}

function table(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(titles), line(titles.map(() => '---')), ...rows.map(line)].join('\n');
}
