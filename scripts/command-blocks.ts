/**
 * The blocks of code in a page, and which of them nobody runs. A block of commands is run by `test/readme.spec.ts`, one of `console` in
 * the page of the session by `test/session.spec.ts`, or a comment before it says why it is not.
 */
import { recordedPages } from './recorded-session.js';

export interface CodeBlock {
  /** The line that it begins in, from 1. */
  line: number;
  /** What stands behind the fence; empty for a block without fence or word. */
  language: string;
  text: string;
  /** Why no test runs it; undefined where nothing says so. */
  notRun: string | undefined;
}

/** The pages whose blocks of commands `test/readme.spec.ts` runs, in their order. */
export const pagesThatAreRun = ['README.md', 'docs/tasks.md', 'docs/operations.md'] as const;

const languagesOfCommands = ['sh', 'bash', 'shell', 'console', 'sql'];
const markOf = /^\s*<!-- not run: (\S.*\S) -->$/;
const fenceOf = /^(\s*)```(.*)$/;

export function codeBlocksOf(page: string): CodeBlock[] {
  const lines = page.split('\n');
  const blocks: CodeBlock[] = [];
  let open: { fence: string; block: CodeBlock } | undefined;
  for (const [index, line] of lines.entries()) {
    const [, indent, language = ''] = fenceOf.exec(line) ?? [];
    if (open && indent === open.fence && language === '') open = undefined;
    else if (open) open.block.text += `${line.slice(open.fence.length)}\n`;
    else if (indent !== undefined) {
      const notRun = markOf.exec(lines[index - 1] ?? '')?.[1];
      open = { fence: indent, block: { line: index + 1, language, text: '', notRun } };
      blocks.push(open.block);
    } else if (isBlockWithoutFence(lines, index))
      blocks.push({ line: index + 1, language: '', text: line, notRun: undefined });
  }
  return blocks;
}

/** Four spaces more than the text around begin a block, where a line is empty before it. */
function isBlockWithoutFence(lines: readonly string[], index: number): boolean {
  const [spaces = ''] = /^ */.exec(lines[index] ?? '') ?? [];
  if (lines[index]?.trim() === '' || lines[index - 1]?.trim() !== '') return false;
  const before = lines.slice(0, index).findLast((line) => line.trim() !== '') ?? '';
  const [marker = ''] = /^ *(?:(?:[-*]|\d+\.) )?/.exec(before) ?? [];
  return spaces.length >= marker.length + 4;
}

/** The commands that the test of the pages runs. */
export function commandsOf(page: string): string[] {
  return codeBlocksOf(page)
    .filter(({ language, notRun }) => language === 'sh' && notRun === undefined)
    .map(({ text }) => text);
}

/** What is wrong with the blocks of a page: a sentence each, which says what to do. */
export function unmarkedBlocks({ path, text }: { path: string; text: string }): string[] {
  const isRun = pagesThatAreRun.some((page) => page === path);
  const isRecorded = recordedPages.some((page) => page === path);
  return codeBlocksOf(text).flatMap(({ line, language, notRun }) => {
    const at = `${path}:${line}`;
    if (language === '')
      return [`${at}: a block says not what it is: write \`\`\`sh, \`\`\`json or another word before it`];
    if (!languagesOfCommands.includes(language) || notRun !== undefined) return [];
    if (isRun && language === 'sh') return [];
    if (isRecorded && language === 'console') return [];
    return [`${at}: nobody runs this block of ${language}: write <!-- not run: REASON --> in the line before it`];
  });
}
