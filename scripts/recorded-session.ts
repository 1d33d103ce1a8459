/**
 * A page with a session at a terminal: blocks of `console` with commands behind `$ `, each with what it has printed. Two sessions are the same
 * when they differ only in what differs at each run: ids, digests, times, sizes and how long something took.
 */

export interface RecordedStep {
  /** Without the `$ ` before it. A line that ends with a backslash goes on. */
  command: string;
  /** What it has printed on both streams, as one text; empty when it has printed nothing. */
  output: string;
}

/** The pages whose sessions `test/session.spec.ts` runs. */
export const recordedPages = ['docs/session.md'] as const;

const blocks = /^```console\n(.*?)^```$/gms;
const prompt = '$ ';

/** The steps of all blocks of a page, in their order. @throws for a block that does not begin with a command */
export function stepsOf(page: string): RecordedStep[] {
  return [...page.matchAll(blocks)].flatMap(([, text = '']) => stepsOfBlock(text));
}

/** The page with other outputs, one for each of its steps, in their order. */
export function withOutputs(page: string, outputs: readonly string[]): string {
  const left = [...outputs];
  return page.replaceAll(blocks, (_, text: string) => {
    const steps = stepsOfBlock(text).map(({ command }) => `${prompt}${command}\n${left.shift() ?? ''}`);
    return `\`\`\`console\n${steps.join('')}\`\`\``;
  });
}

function stepsOfBlock(text: string): RecordedStep[] {
  const steps: RecordedStep[] = [];
  let goesOn = false;
  for (const line of text.split('\n').slice(0, -1)) {
    const last = steps.at(-1);
    if (goesOn && last) last.command += `\n${line}`;
    else if (line.startsWith(prompt)) steps.push({ command: line.slice(prompt.length), output: '' });
    else if (last) last.output += `${line}\n`;
    else throw new Error(`a block of a session begins with a command behind "${prompt}", and not with: ${line}`);
    goesOn = line.endsWith('\\') && (goesOn || line.startsWith(prompt));
  }
  return steps;
}

const instant = String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z?`;

/** What differs at each run, with the mark that stands for it. An earlier one is replaced first. */
const marks: readonly (readonly [RegExp, string])[] = [
  [/\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g, '(id)'],
  [/\b[0-9a-f]{64}\b/g, '(digest)'],
  [new RegExp(`\\b${instant}`, 'g'), '(instant)'],
  [/\b\d{8}T\d{6}Z\b/g, '(instant)'],
  [/\b\d\d:\d\d\b/g, '(time)'],
  [/\b\d+(?:\.\d+)? (?:B|kB|MB|GB)\b/g, '(size)'],
  [/\b\d+(?:\.\d+)? s\b/g, '(seconds)'],
  [/\b\d+\.\d+\b(?!\.)/g, '(version)'],
  [/\b\d+ (files|objects|bytes)\b/g, '(number) $1'],
  [/\b(scheduler|replicator)-[\w.-]+/g, '$1-(name)'],
  [/\bit holds \S+\./g, 'it holds (name).'],
  // Root is told of another user, as whom PostgreSQL is to run.
  [/^Start a server of version \d+ on it\b.*/g, '(how a server is started)'],
  [/^ +.*\bpostgres -D .*/g, '(the command that starts it)'],
];

/** How far something is: how many such lines there are differs at each run. */
const progress = /^(?:backup [A-Z_]+ \d+ %|(?:verifying|restoring)\b.*: ).*$/;
/** A run that a preview shows. How many there are, and of which type they are, differs from day to day. */
const comingRun = new RegExp(`^${instant} +(?:full|incremental|skipped) `);
/** A sentence with its time. Copies to several regions go on at the same time, so the order of such sentences differs. */
const timedSentence = new RegExp(`^ +${instant} `);

/** What a text says at each run. */
export function whatStays(text: string): string {
  const lines: string[] = [];
  let sentences: string[] = [];
  const marked = (line: string) =>
    marks
      .reduce((before, [what, mark]) => before.replaceAll(what, mark), line)
      .replaceAll(/ {2,}/g, ' ')
      .trimEnd();
  const endSentences = () => {
    lines.push(...sentences.sort());
    sentences = [];
  };
  for (const line of text.split('\n')) {
    if (timedSentence.test(line)) {
      sentences.push(marked(line));
      continue;
    }
    endSentences();
    if (progress.test(line)) continue;
    const stays = comingRun.test(line) ? '(coming run)' : marked(line);
    if (stays !== '(coming run)' || lines.at(-1) !== stays) lines.push(stays);
  }
  endSentences();
  return lines.join('\n');
}
