/**
 * Takes out of a program what esbuild has added to keep names that JavaScript gives by itself. To keep a name is a call each time that the
 * function is made: for those that are made for each request it cost more than many of them do.
 * docs/decisions/0247-what-a-request-costs-the-api.md has the figures.
 */
import { Script } from 'node:vm';

/** A function that is declared has its name. A line of its own: the program has as many lines as before. */
const ofDeclared = /^ *__name\(([\w$]+), "\1"\);$/gm;
/** A function that is given to a name, as a variable or as a field, has that one. */
const call = '/* @__PURE__ */ __name(';
const givenTo = /(?:^|[^\w$.#])([\w$]+)(?: =|:) $/;
/** A function may have a name already, which esbuild has changed where another one has it too. */
const ownName = /^(?:async )?function\*? ?([\w$]+)\(/;
/** In characters: how far before the call a name may begin, and how long a function may be. */
const [longestName, longestFunction] = [80, 100_000];

/** @param program as esbuild writes it with `keepNames` @returns the same with the same names, in as many lines and columns */
export function withOwnNames(program) {
  const text = program.replaceAll(ofDeclared, '');
  const needless = [];
  for (let at = text.indexOf(call); at !== -1; at = text.indexOf(call, at + 1)) {
    const [, name] = givenTo.exec(text.slice(Math.max(0, at - longestName), at)) ?? [];
    if (name === undefined) continue;
    const begin = at + call.length;
    const own = ownName.exec(text.slice(begin, begin + longestName))?.[1];
    if (own !== undefined && own !== name) continue;
    const ending = `, ${JSON.stringify(name)})`;
    const length = lengthOfFunction(text.slice(begin, begin + longestFunction), ending);
    if (length === undefined) continue;
    const end = begin + length;
    needless.push([at, begin], [end, end + ending.length]);
  }
  needless.sort(([one], [other]) => one - other);
  const parts = [];
  let done = 0;
  for (const [begin, end] of needless) {
    parts.push(text.slice(done, begin), ' '.repeat(end - begin));
    done = end;
  }
  return parts.join('') + text.slice(done);
}

/**
 * How long the function is that the text begins with: it ends at the first ending before which there is a whole expression.
 * @returns undefined when it is given another name, or is no expression outside of its class
 */
function lengthOfFunction(text, ending) {
  for (let end = text.indexOf(ending); end !== -1; end = text.indexOf(ending, end + 1)) {
    if (isExpression(text.slice(0, end))) return end;
  }
  return undefined;
}

function isExpression(text) {
  try {
    new Script(`async function* around() {(${text}\n)}`);
    return true;
  } catch {
    return false;
  }
}
