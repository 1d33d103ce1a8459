/** What Jest's reports (`--json`) say: what failed, and what passed only when it was tried a second time. */
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** More files than these do not fail by chance. */
const mostTriedAgain = 5;

const hasFailed = ({ status }) => status === 'failed';

/** The spec files that are tried a second time: those that failed, or none when they are too many for chance. @returns their paths */
export function triedAgain(report) {
  const files = report.testResults.filter(hasFailed).map(({ name }) => name);
  return files.length > mostTriedAgain ? [] : files;
}

/** The report of a run in which each file of `second` counts as it ended there. */
export function withSecondTry(first, second) {
  const again = new Map(second.testResults.map((file) => [file.name, file]));
  return { ...first, testResults: first.testResults.map((file) => again.get(file.name) ?? file) };
}

/** How many tests ended how. A file that could not be run counts as one test that failed. */
export function countsOf(report) {
  const statuses = report.testResults.flatMap((file) => [
    ...file.assertionResults.map(({ status }) => status),
    ...(couldNotRun(file) ? ['failed'] : []),
  ]);
  const count = (...asked) => statuses.filter((status) => asked.includes(status)).length;
  return { passed: count('passed'), failed: count('failed'), skipped: count('pending', 'todo') };
}

/** A line for each test that failed, and for each file that could not be run. */
export function failuresOf(report) {
  return report.testResults.flatMap((file) => {
    const path = `  ${relative(root, file.name)}`;
    if (couldNotRun(file)) return [`${path}: the file could not be run`];
    return file.assertionResults.filter(hasFailed).map((test) => `${path}: ${test.fullName}`);
  });
}

/** The lines of `failuresOf(first)` that are not there after the second try. */
export function passedOnlyThen(first, second) {
  const still = new Set(failuresOf(second));
  return failuresOf(first).filter((line) => !still.has(line));
}

/** A line for each spec file that has left something open. @param notes the text of the file of notes, with one entry of JSON on each line */
export function leftOpenIn(notes) {
  const found = notes
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
  return found.map(({ spec, left }) => `  ${spec}: ${left.join(', ')}`).sort();
}

function couldNotRun(file) {
  return hasFailed(file) && !file.assertionResults.some(hasFailed);
}
