/** Writes the text of docs/strongroom.1, the page of `man`, from the tree of the commands and the list of the exit codes. */
import type { Command } from 'commander';
import { type Code, leavesOf, optionsOf, usageOf } from './command-line-page.js';

export function manPage(program: Command, codes: readonly Code[]): string {
  const sections = leavesOf(program).flatMap(({ path, command }) => [
    `.SS ${plain(`${path} ${usageOf(command)}`.trimEnd())}`,
    plain(command.description()),
    ...optionsOf(command).flatMap(({ term, meaning }) => ['.TP', `.B ${plain(term)}`, plain(meaning)]),
  ]);
  return `${[
    '.TH STRONGROOM 1 "" "Strongroom" "User Commands"',
    '.SH NAME',
    `strongroom \\- ${plain(program.description())}`,
    '.SH SYNOPSIS',
    '.B strongroom',
    '.I command',
    '[options]',
    '.SH COMMANDS',
    ...sections,
    '.SH EXIT STATUS',
    ...codes.flatMap(({ code, meaning }) => ['.TP', `.B ${code}`, plain(meaning)]),
    '.SH FILES',
    '.TP',
    `.B ${plain('$XDG_CONFIG_HOME/strongroom/config.json')}`,
    plain(
      'The profiles of strongroom login, with their tokens. Without XDG_CONFIG_HOME it is below ~/.config. Only its owner can read it.',
    ),
  ].join('\n')}\n`;
}

/** A text that roff prints as it is: no escape, no hyphen that is typeset, and no request at the beginning of a line. */
function plain(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll('\n', ' ')
    .replaceAll(/[^ -~]/gu, (letter) => `\\[u${letter.codePointAt(0)?.toString(16).toUpperCase().padStart(4, '0')}]`)
    .replace(/^([.'])/, '\\&$1');
}
