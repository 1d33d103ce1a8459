/** Writes the text of docs/decisions/README.md: the list of all decisions, the newest first. */

/** A decision as its page has it: `# 200. What a file of tests loads`. */
const title = /^# (\d+)\. (.+)$/m;

/** @param pages the text of each decision by the name of its file */
export function decisionsPage(pages: ReadonlyMap<string, string>): string {
  const rows = [...pages].map(([file, text]) => {
    const [, number = '', name = ''] = title.exec(text) ?? [];
    if (number === '') throw new Error(`docs/decisions/${file} does not begin with "# NUMBER. TITLE"`);
    const [, state = ''] = /^Status: (accepted|partly superseded|superseded)/m.exec(text) ?? [];
    return { number: Number(number), line: `| ${number} | [${name}](${file}) | ${state} |` };
  });
  return `${[
    '# Decisions',
    'Each page says what was decided, why, and what follows from it. `npm run docs` writes this list.',
    [
      '| | decision | status |',
      '| --- | --- | --- |',
      ...rows.sort((a, b) => b.number - a.number).map(({ line }) => line),
    ].join('\n'),
  ].join('\n\n')}\n`;
}
