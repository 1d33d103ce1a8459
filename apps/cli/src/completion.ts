/**
 * What has a shell complete the commands: a script with the words that may follow, made from the tree of the commands. No process is started for a
 * completion.
 */
import type { Command } from 'commander';

export const shells = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof shells)[number];

/** What may follow after the words of a command, such as `schedule list`; the program itself has none. */
interface Place {
  path: string;
  words: readonly string[];
}

interface Completions {
  places: readonly Place[];
  /** Places with an option behind them whose values are known, such as `instance register --tls`. */
  values: readonly Place[];
  /** Places with an option behind them that takes a value of its own, such as a file. */
  open: readonly string[];
}

/** Names of commands, options and their values: a script quotes them without a thought. */
const plainWord = /^[A-Za-z0-9][\w.-]*$|^--?[a-z][a-z0-9-]*$/;

export function completionScript(shell: Shell, program: Command): string {
  return scripts[shell](completionsOf(program));
}

function completionsOf(program: Command): Completions {
  const all = within(program, []);
  const options = all.flatMap(({ path, command }) =>
    command.options.filter(({ required, optional }) => required || optional).map((option) => ({ path, option })),
  );
  const placeOf = ({ path, option }: (typeof options)[number]) => `${path} ${option.long}`.trim();
  return {
    places: all.map(({ path, command }) => ({ path, words: wordsOf(command) })),
    values: options.flatMap((each) =>
      each.option.argChoices ? [{ path: placeOf(each), words: each.option.argChoices.map(checked) }] : [],
    ),
    open: options.filter(({ option }) => !option.argChoices).map(placeOf),
  };
}

function within(command: Command, words: readonly string[]): { path: string; command: Command }[] {
  const below = command.commands.flatMap((each) => within(each, [...words, checked(each.name())]));
  return [{ path: words.join(' '), command }, ...below];
}

function wordsOf(command: Command): string[] {
  const names = command.commands.map((each) => each.name());
  const choices = command.registeredArguments.flatMap(({ argChoices = [] }) => argChoices);
  const options = command.options.flatMap(({ long }) => long ?? []);
  return [...names, ...choices, ...options, '--help'].map(checked);
}

function checked(word: string): string {
  if (!plainWord.test(word)) throw new TypeError(`${word} cannot stand in a script of a shell`);
  return word;
}

/** The names of groups and commands, by which the place of the cursor is found. */
const named = ({ places }: Completions) => places.map(({ path }) => path).filter((path) => path !== '');

const scripts: Readonly<Record<Shell, (completions: Completions) => string>> = {
  bash: (completions) => `# strongroom completion bash > ~/.local/share/bash-completion/completions/strongroom
_strongroom() {
  local current=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]} place= words= word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "\${place:+$place }$word" in
      ${patterns(named(completions))}) place="\${place:+$place }$word" ;;
    esac
  done
  COMPREPLY=()
  case "$place $before" in
${completions.values.map(({ path, words }) => `    '${path}') COMPREPLY=($(compgen -W '${words.join(' ')}' -- "$current")); return ;;`).join('\n')}
    ${patterns(completions.open)}) return ;;
  esac
  case "$place" in
${completions.places.map(({ path, words }) => `    '${path}') words='${words.join(' ')}' ;;`).join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _strongroom strongroom
`,
  zsh: (completions) => `#compdef strongroom
# strongroom completion zsh > a file _strongroom in a folder of $fpath, or in ~/.zshrc: source <(strongroom completion zsh)
_strongroom() {
  local place= word
  local -a list
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "\${place:+$place }$word" in
      ${patterns(named(completions))}) place="\${place:+$place }$word" ;;
    esac
  done
  case "$place \${words[CURRENT-1]}" in
${completions.values.map(({ path, words }) => `    '${path}') compadd -- ${words.join(' ')}; return ;;`).join('\n')}
    ${patterns(completions.open)}) _files; return ;;
  esac
  case "$place" in
${completions.places.map(({ path, words }) => `    '${path}') list=(${words.join(' ')}) ;;`).join('\n')}
  esac
  compadd -a -- list
}
# As a file of $fpath this is the function itself, which is called for the first completion.
if [ "$funcstack[1]" = _strongroom ]; then _strongroom "$@"; else compdef _strongroom strongroom; fi
`,
  fish: (completions) => `# strongroom completion fish > ~/.config/fish/completions/strongroom.fish
function __strongroom_words
  set -l words (commandline -opc)
  set -l before $words[-1]
  set -e words[1]
  set -l place ''
  for word in $words
    switch (string trim -- "$place $word")
      case ${fishPatterns(named(completions))}
        set place (string trim -- "$place $word")
    end
  end
  switch (string trim -- "$place $before")
${completions.values.map(({ path, words }) => `    case '${path}'\n      printf '%s\\n' ${words.join(' ')}\n      return`).join('\n')}
    case ${fishPatterns(completions.open)}
      __fish_complete_path (commandline -ct)
      return
  end
  switch "$place"
${completions.places.map(({ path, words }) => `    case '${path}'\n      printf '%s\\n' ${words.map((word) => `'${word}'`).join(' ')}`).join('\n')}
  end
end
complete -c strongroom -f -a '(__strongroom_words)'
`,
};

function patterns(paths: readonly string[]): string {
  return paths.map((path) => `'${path}'`).join('|');
}

function fishPatterns(paths: readonly string[]): string {
  return paths.map((path) => `'${path}'`).join(' ');
}
