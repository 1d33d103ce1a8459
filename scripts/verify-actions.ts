/** Asks GitHub, by git, whether the tag beside each action of the workflows is the commit that the workflow names. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { actionsIn, unpinnedActions } from './pins.js';

const folder = join(__dirname, '..', '.github', 'workflows');
const workflows = readdirSync(folder).map((name) => readFileSync(join(folder, name), 'utf8'));
const problems = workflows.flatMap(unpinnedActions).map((use) => `${use} is not pinned by a commit with its tag`);
const pins = new Map(workflows.flatMap(actionsIn).map((pin) => [`${pin.action} ${pin.tag} ${pin.commit}`, pin]));
for (const { action, commit, tag } of pins.values()) {
  const [owner, repository] = action.split('/');
  const url = `https://github.com/${owner}/${repository}`;
  const said = execFileSync('git', ['ls-remote', url, `refs/tags/${tag}`, `refs/tags/${tag}^{}`], { encoding: 'utf8' });
  // The line of a tag with a message names the tag; the one with ^{} names its commit.
  const commits = said
    .trim()
    .split('\n')
    .sort((a, b) => a.length - b.length);
  const found = commits.at(-1)?.split('\t')[0];
  if (found !== commit) problems.push(`${action} ${tag} is ${found || 'nowhere'}, and the workflow names ${commit}`);
}
for (const problem of problems) process.stderr.write(`${problem}\n`);
if (problems.length > 0) process.exit(1);
process.stdout.write(`${pins.size} actions are what their tags say\n`);
